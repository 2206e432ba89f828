"""containerd, with ctr, nerdctl and Kubernetes above it: one hosts.toml for each registry, read at each use.

nerdctl reads /etc/containerd/certs.d by itself and ctr what --hosts-dir names; Kubernetes (CRI) reads the folder that
`config_path` in containerd's own file names, and none without it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from devreg.flavours import toml_text
from devreg.flavours.asking import PROBE, ask
from devreg.flavours.flavour import Flavour
from devreg.flavours.hosts_folder import HostsFolder
from devreg.flavours.plain_services import AtEachUse
from devreg.flavours.wanted import SpeaksTls, unknown
from devreg.host import files
from devreg.host.run import CommandFailed, run
from devreg.model.address import Address
from devreg.model.engine import RunningContainer
from devreg.model.errors import ConfigUnusable
from devreg.model.verdict import Verdict

_NAMESPACE = "devreg-trust-probe"
_SECONDS = 30
# Where config_path stands, by the version of config.toml.
_REGISTRY = {
    1: ("plugins", "cri", "registry"),
    2: ("plugins", "io.containerd.grpc.v1.cri", "registry"),
    3: ("plugins", "io.containerd.cri.v1.images", "registry"),
}


def containerd(root: Path = Path("/"), speaks_tls: SpeaksTls = unknown) -> Flavour:
    """The containerd of this machine for root, for everybody else the user's own rootless one.

    `speaks_tls` is asked which scheme to write. Raises ConfigUnusable where there is no containerd, where it cannot
    read its own file, and where a Kubernetes on it would not see what devreg writes.
    """
    rootful = files.is_root()
    folder = root / "etc/containerd" if rootful else Path(platformdirs.user_config_dir()) / "containerd"
    running = _settings(folder / "config.toml")
    hosts = folder / "certs.d"
    named = next((_config_path(running, version) for version in (3, 2) if _config_path(running, version)), "")
    if _has_cri(running) and (root / "var/lib/kubelet").exists():
        if not named:
            raise _unseen(folder / "config.toml", hosts, running)
        hosts = Path(named.split(os.pathsep)[0])
    socket = toml_text.tables(running, "grpc").get("address") or "/run/containerd/containerd.sock"
    pull = ["ctr", "--address", str(socket)] if rootful else ["nerdctl"]
    return Flavour(
        name="containerd",
        files=HostsFolder(hosts, speaks_tls),
        service=AtEachUse(log="`journalctl --unit containerd`" if rootful else "`journalctl --user --unit containerd`"),
        witness=ContainerdWitness(pull, hosts),
        certificates=hosts,
    )


@dataclass(frozen=True)
class ContainerdWitness:
    """What containerd does at its next pull. `program`: its client, with what tells it which containerd."""

    program: Sequence[str]
    hosts: Path

    def live(self) -> None:
        """It goes by the files."""

    def covers(self, address: Address) -> None:
        """No network or pattern makes a registry insecure."""

    def stops(self) -> tuple[RunningContainer, ...]:
        """Nothing is restarted."""
        return ()

    def reaches(self, address: Address) -> Verdict:
        """Have it pull an image that no registry has, into a namespace that is made for this and goes with it."""
        client = [*self.program, "--namespace", _NAMESPACE]
        reference = f"{address}/{PROBE}"
        if self.program[0] == "nerdctl":
            return ask([*client, "--hosts-dir", str(self.hosts), "pull", "--quiet", reference])
        try:
            return ask([*client, "images", "pull", "--hosts-dir", str(self.hosts), reference])
        finally:
            self._forget_namespace()

    def _forget_namespace(self) -> None:
        with suppress(CommandFailed):
            run([*self.program, "namespaces", "remove", _NAMESPACE], timeout=_SECONDS)


def _settings(file: Path) -> dict[str, Any]:
    """What containerd makes of its file, defaults and imports included. Raises ConfigUnusable."""
    words = ["--config", str(file), "config", "dump"] if file.exists() else ["config", "default"]
    try:
        told = run(["containerd", *words], timeout=_SECONDS).stdout
    except CommandFailed as error:
        hint = "see what it says of its file" if error.code is not None else "install containerd, or change PATH"
        raise ConfigUnusable(f"containerd could not be asked for its settings: {error}", hint=hint) from error
    return toml_text.parse(told.encode(), f"what `containerd {' '.join(words)}` says")


def _config_path(running: dict[str, Any], version: int) -> str:
    return str(toml_text.tables(running, *_REGISTRY[version]).get("config_path", ""))


def _has_cri(running: dict[str, Any]) -> bool:
    off = running.get("disabled_plugins", ())
    return not {"cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"} & set(off)


def _unseen(file: Path, hosts: Path, running: dict[str, Any]) -> ConfigUnusable:
    """The error for a Kubernetes that is not told of the folder."""
    version = toml_text.parse(files.read(file), str(file)).get("version", 1)
    _, plugin, registry = _REGISTRY.get(version, _REGISTRY[3])
    table = f"[plugins.{plugin if plugin.isalnum() else repr(plugin)}.{registry}]"
    found = toml_text.tables(running, *_REGISTRY[2]) or toml_text.tables(running, *_REGISTRY[3])
    rid = "take out registry.mirrors and registry.configs, which exclude it, " if found.get("mirrors") else ""
    return ConfigUnusable(
        f"Kubernetes runs on this containerd, and {file} has no config_path: it would not see {hosts}",
        hint=f'{rid}add to {file} under {table}: config_path = "{hosts}"; then restart containerd',
    )
