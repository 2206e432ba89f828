"""The folder in which containerd has one hosts.toml for each registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devreg.flavours import hosts_toml, own_block
from devreg.flavours.wanted import SpeaksTls, refuse_hub, wants_tls
from devreg.host import files
from devreg.host.edits import Edit
from devreg.model.address import Address
from devreg.model.daemon_json import decode
from devreg.model.errors import UsageError


@dataclass(frozen=True)
class HostsFolder:
    """The hosts.toml files below `folder`. `path` is that folder: the files themselves are in the edits."""

    path: Path
    speaks_tls: SpeaksTls

    def listed(self) -> tuple[str, ...]:
        """The registries that have an insecure hosts.toml. Raises ConfigUnusable."""
        return tuple(str(address) for address, file in self._files() if self._trusted_in(file, address))

    def lists(self, address: Address) -> bool:
        """Whether its hosts.toml makes the registry insecure. Raises ConfigUnusable."""
        return self._trusted_in(self._file(address), address)

    def edits(self, add: Sequence[Address], remove: Sequence[Address]) -> tuple[Edit, ...]:
        """One edit for each registry whose hosts.toml is not as it should be. Raises ConfigUnusable."""
        adding = tuple(self._edit(address, trusted=True) for address in add if not self.lists(address))
        removing = tuple(self._edit(address, trusted=False) for address in remove if self.lists(address))
        return adding + removing

    def undoing(self, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        """The old bytes."""
        return tuple(edit.reversed() for edit in edits)

    def _edit(self, address: Address, *, trusted: bool) -> Edit:
        file = self._file(address)
        before = files.read(file)
        text = decode(before or b"", str(file))
        if trusted:
            refuse_hub(address)
            tls = wants_tls(address, self.speaks_tls)
            text = hosts_toml.with_host(text, address, tls=tls, source=str(file))
        else:
            text = hosts_toml.without_host(text, address, source=str(file))
        (edit,) = own_block.change(file, before, text)
        return replace(edit, own_folder=True)

    def _trusted_in(self, file: Path, address: Address) -> bool:
        return hosts_toml.trusts(files.read(file), address, str(file))

    def _file(self, address: Address) -> Path:
        """containerd looks for `host_port_` before it looks for `host:port`."""
        other = self.path / f"{str(address).removesuffix(f':{address.port}')}_{address.port}_"
        folder = other if address.port is not None and other in self._folders() else self.path / str(address)
        return folder / "hosts.toml"

    def _folders(self) -> list[Path]:
        return list(self.path.glob("*"))  # none where this user may not look

    def _files(self) -> Iterator[tuple[Address, Path]]:
        for file in sorted(self.path.glob("*/hosts.toml")):
            host, _, port = file.parent.name.removesuffix("_").rpartition("_")
            name = f"{host}:{port}" if file.parent.name.endswith("_") else file.parent.name
            try:
                yield Address.parse(name), file
            except UsageError:  # `_default`, for all that have no folder, or a folder for something else
                continue
