"""k3s: a registries.yaml, from which it writes its containerd's files when it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devreg.flavours import own_block, registries_yaml, toml_text, unit_files
from devreg.flavours.asking import PROBE, ask
from devreg.flavours.flavour import Flavour
from devreg.flavours.hosts_folder import HostsFolder
from devreg.flavours.plain_services import ByCommands, unit
from devreg.flavours.wanted import SpeaksTls, refuse_hub, unknown, wants_tls
from devreg.host import files
from devreg.host.edits import Edit
from devreg.model.address import Address
from devreg.model.daemon_json import decode
from devreg.model.engine import RunningContainer
from devreg.model.errors import ConfigUnusable
from devreg.model.verdict import Verdict

_NAMES = ("k3s", "k3s-agent")
_ASKS = ("k3s", "crictl", "version")
_FLAG = "--private-registry"
_CRI = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images")


def k3s(root: Path = Path("/"), speaks_tls: SpeaksTls = unknown) -> Flavour:
    """The k3s server or agent of this machine. `speaks_tls` is asked which scheme to write.

    Raises ConfigUnusable where none is installed as a service.
    """
    found = unit_files.find(root, [f"{name}.service" for name in _NAMES])
    script = next((name for name in _NAMES if (root / "etc/init.d" / name).exists()), None)
    if found is None and script is None:
        raise ConfigUnusable("no service here runs k3s", hint="run the command on a machine with k3s or k3s-agent")
    named = (unit_files.flag(found, _FLAG) if found else None) or _configured(root / "etc/rancher/k3s/config.yaml")
    return Flavour(
        name="k3s",
        files=RegistriesYaml(Path(named) if named else root / "etc/rancher/k3s/registries.yaml", speaks_tls),
        service=unit(found.name, asks=_ASKS) if found else _openrc(str(script)),
        witness=K3sWitness(root / "var/lib/rancher/k3s/agent/etc/containerd"),
    )


@dataclass(frozen=True)
class RegistriesYaml:
    """A registries.yaml: an HTTP endpoint under `mirrors`, or unverified TLS under `configs`."""

    path: Path
    speaks_tls: SpeaksTls

    def listed(self) -> tuple[str, ...]:
        """The registries that may speak plain HTTP or unverified TLS. Raises ConfigUnusable."""
        return registries_yaml.insecure(registries_yaml.parse(self._text(), str(self.path)))

    def lists(self, address: Address) -> bool:
        """Whether the registry is one of them. Raises ConfigUnusable."""
        return str(address) in self.listed()

    def edits(self, add: Sequence[Address], remove: Sequence[Address]) -> tuple[Edit, ...]:
        """What to write. Raises ConfigUnusable, with the line, for what somebody else says of an address."""
        listed, text, source = self.listed(), self._text(), str(self.path)
        for address in add:
            if str(address) not in listed:
                refuse_hub(address)
                tls = wants_tls(address, self.speaks_tls)
                text = registries_yaml.with_registry(text, address, tls=tls, source=source)
        for address in remove:
            if str(address) in listed:
                text = registries_yaml.without_registry(text, address, source=source)
        return own_block.change(self.path, files.read(self.path), text)

    def undoing(self, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        """The old bytes."""
        return tuple(edit.reversed() for edit in edits)

    def _text(self) -> str:
        return decode(files.read(self.path) or b"", str(self.path))


@dataclass(frozen=True)
class K3sWitness:
    """What k3s has told its containerd, in the files below `generated`."""

    generated: Path

    def live(self) -> frozenset[str] | None:
        """The insecure registries in the files that k3s wrote at its start: a folder of hosts.toml, before 2024 one
        config.toml. None where it has never run. Raises ConfigUnusable."""
        file = self.generated / "config.toml"
        data = files.read(file)
        if data is None:
            return None
        settings = toml_text.parse(data, str(file))
        old: list[str] = []
        for plugin in _CRI:
            registry = toml_text.tables(settings, "plugins", plugin, "registry")
            old.extend(registries_yaml.insecure(_as_written(registry)))
        return frozenset((*HostsFolder(self.generated / "certs.d", unknown).listed(), *old))

    def covers(self, address: Address) -> None:
        """No network or pattern makes a registry insecure."""

    def stops(self) -> tuple[RunningContainer, ...]:
        """Containers outlive a restart of k3s."""
        return ()

    def reaches(self, address: Address) -> Verdict:
        """Have it pull an image that no registry has."""
        return ask(["k3s", "crictl", "pull", f"{address}/{PROBE}"])


def _configured(file: Path) -> str | None:
    """The place of registries.yaml in k3s' own settings."""
    settings = registries_yaml.parse(decode(files.read(file) or b"", str(file)), str(file))
    named = settings.get(_FLAG.removeprefix("--"))
    return str(named) if named else None


def _as_written(registry: dict[str, object]) -> dict[str, object]:
    """containerd's settings of registries have the same form as those of k3s."""
    return {key: registry.get(key) for key in ("mirrors", "configs")}


def _openrc(name: str) -> ByCommands:
    return ByCommands(name=name, commands=(("rc-service", name, "restart"),), asks=_ASKS, log=f"/var/log/{name}.log")
