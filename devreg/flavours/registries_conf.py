"""The registries of podman, buildah and skopeo: registries.conf and its drop-ins, of which devreg owns one.

See containers-registries.conf(5) and containers-registries.conf.d(5). Measured on podman 4.3: a table replaces one of
the same prefix that was read before it, mirrors and all; $HOME/.config is meant, whatever XDG_CONFIG_HOME says.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devreg.flavours import own_block, toml_text
from devreg.flavours.wanted import refuse_hub
from devreg.host import files
from devreg.host.edits import Edit
from devreg.model.address import Address
from devreg.model.daemon_json import decode

NAME = "50-devreg.conf"
_HEADER = "# Registries that may speak plain HTTP or unverified TLS, written by `devreg trust`.\n"


@dataclass(frozen=True)
class Table:
    """What a file says of the images whose names begin with `prefix`."""

    prefix: str
    insecure: bool
    file: Path
    line: int

    def matches(self, reference: str) -> bool:
        """Whether it is for the image. As podman does it: `host` is for `host:5000` too, `*.a.org` for `b.a.org`."""
        if self.prefix.startswith("*."):
            before, found, rest = reference.partition(self.prefix[1:])
            return bool(found) and "/" not in before and rest[:1] in ("", ":", "/", "@")
        return reference.startswith(self.prefix) and reference[len(self.prefix) :][:1] in ("", ":", "/", "@")


@dataclass(frozen=True)
class Place:
    """The files in the order in which they are read; `main` and `folders` may be missing. `own`: devreg's."""

    main: Path
    folders: Sequence[Path]
    own: Path


def place(root: Path, home: Path) -> Place:
    """Where the files of this user are. A registries.conf of the user's own hides all of the system's files."""
    system, user = root / "etc/containers", home / ".config/containers"
    folders = [system / "registries.conf.d", user / "registries.conf.d"]
    if named := os.environ.get("CONTAINERS_REGISTRIES_CONF"):
        main = Path(named)
    elif (user / "registries.conf").exists():
        main, folders = user / "registries.conf", folders[1:]
    else:
        main = system / "registries.conf"
    return Place(main, folders, (folders[0] if files.is_root() else folders[-1]) / NAME)


class RegistriesConf:
    """The insecure registries in those files; only devreg's own drop-in is changed."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def path(self) -> Path:
        """devreg's drop-in."""
        return self._place.own

    def listed(self) -> tuple[str, ...]:
        """The prefixes that are insecure. Raises ConfigUnusable."""
        return tuple(table.prefix for table in self.tables() if table.insecure)

    def lists(self, address: Address) -> bool:
        """Whether a table for exactly this address is insecure. Raises ConfigUnusable."""
        return str(address) in self.listed()

    def tables(self) -> tuple[Table, ...]:
        """The tables in force. Raises ConfigUnusable."""
        return _in_force(table for file in self._files() for table in _tables(files.read(file), file))

    def edits(self, add: Sequence[Address], remove: Sequence[Address]) -> tuple[Edit, ...]:
        """What to write into the drop-in. Raises ConfigUnusable, naming file and line, for an address of which another
        file says something else."""
        known = {table.prefix: table for table in self.tables()}
        before = files.read(self.path)
        text = decode(before or b"", str(self.path))
        own = {table.prefix for table in _tables(before, self.path)}
        for address in add:
            table = known.get(str(address))
            if table is None or not table.insecure:
                refuse_hub(address)
                _refuse(table, "says that it is not insecure", "set insecure = true there")
                text = own_block.with_block(text or _HEADER, _block(address))
                own.add(str(address))
        for address in remove:
            table = known.get(str(address))
            if table is not None and table.insecure:
                _refuse(self._elsewhere(address), "makes it insecure", "take it out there")
                text = own_block.without_block(text, _block(address))
                own.discard(str(address))
        if text.strip() == _HEADER.strip():
            text = ""
        if {table.prefix for table in _tables(text.encode(), self.path)} != own:
            line = toml_text.line_of(before, *map(str, remove))
            raise toml_text.fault(str(self.path), line, "this was edited by hand", "take the entry out by hand, too")
        return own_block.change(self.path, before, text)

    def undoing(self, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        """The old bytes."""
        return tuple(edit.reversed() for edit in edits)

    def _elsewhere(self, address: Address) -> Table | None:
        """The insecure table for the address that is not devreg's."""
        others = (file for file in self._files() if file != self.path)
        tables = _in_force(table for file in others for table in _tables(files.read(file), file))
        return next((table for table in tables if table.prefix == str(address) and table.insecure), None)

    def _files(self) -> Iterator[Path]:
        yield self._place.main
        for folder in self._place.folders:
            yield from sorted(folder.glob("*.conf"))


def _in_force(tables: Iterable[Table]) -> tuple[Table, ...]:
    return tuple({table.prefix: table for table in tables}.values())


def _refuse(table: Table | None, what: str, hint: str) -> None:
    if table is not None:
        raise toml_text.fault(str(table.file), table.line, f"the entry {table.prefix} {what}", hint)


def _block(address: Address) -> str:
    return f'[[registry]]\nlocation = "{address}"\ninsecure = true\n'


def _tables(data: bytes | None, file: Path) -> Iterator[Table]:
    settings = toml_text.parse(data, str(file))
    registries = settings.get("registry", [])
    if not isinstance(registries, list) or not all(isinstance(entry, dict) for entry in registries):
        raise toml_text.fault(str(file), 1, "`registry` must be tables, each under [[registry]]")
    for entry in registries:
        yield _table(entry, data, file)
    for name in toml_text.tables(settings, "registries", "insecure").get("registries", ()):  # format 1
        yield Table(str(name), True, file, toml_text.line_of(data, str(name)))


def _table(entry: dict[str, Any], data: bytes | None, file: Path) -> Table:
    prefix, insecure = entry.get("prefix") or entry.get("location", ""), entry.get("insecure", False)
    if not isinstance(prefix, str) or not isinstance(insecure, bool):
        line = toml_text.line_of(data, str(prefix))
        raise toml_text.fault(str(file), line, "location and prefix must be strings, insecure true or false")
    return Table(prefix.rstrip("/"), insecure, file, toml_text.line_of(data, prefix))
