"""An archive whose members can be read in any order: a folder, or a tar that is not compressed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from devreg.archives.forward import BLOCK
from devreg.archives.region import Region, opened
from devreg.archives.tar_headers import headers, reading, resolved
from devreg.model.archive_json import SMALL, damaged
from devreg.model.docker_archive import inside

HEAD = 512
"""Bytes: the first ones of a file, which tell what it is."""


@dataclass(frozen=True)
class Shelved:
    """A member: its size in bytes, and how to open a reader at its start, any number of times. `first`: its first HEAD
    bytes, where they are at hand."""

    name: str
    size: int
    open: Callable[[], BinaryIO]
    first: bytes | None = None

    def head(self) -> bytes:
        """Its first bytes, HEAD of them at most. Raises ArchiveUnusable."""
        if self.first is not None:
            return self.first
        with reading(self.name), self.open() as file:
            return file.read(HEAD)

    def blocks(self) -> Iterator[bytes]:
        """Its content, as far as there is any. Raises ArchiveUnusable."""
        with reading(self.name), self.open() as file:
            while block := file.read(BLOCK):
                yield block


class Shelf(Protocol):
    """Where members are had by name."""

    def find(self, name: str) -> Shelved | None:
        """A regular member, also by a link to it. Raises ArchiveUnusable for a name or link that leads out."""


def small(shelf: Shelf, name: str) -> bytes | None:
    """The content of a member that has to be small, None where there is none. Raises ArchiveUnusable."""
    found = shelf.find(name)
    if found is None:
        return None
    if found.size > SMALL:
        raise damaged(f"{name} has {found.size} bytes, and such a file has a few kilobytes")
    with reading(name), found.open() as file:
        content = file.read(found.size)
    if len(content) != found.size:
        raise damaged(f"{name} ends early")
    return content


class Folder:
    """A folder: an OCI layout, or an unpacked docker-archive."""

    def __init__(self, path: Path) -> None:
        self._root = path.resolve()

    def find(self, name: str) -> Shelved | None:
        """See Shelf."""
        try:
            path = (self._root / inside(name)).resolve()
            if not path.is_relative_to(self._root):
                raise damaged(f"{name} is a link that leads out of {self._root}")
            size = path.stat().st_size if path.is_file() else None
        except RuntimeError:
            raise damaged(f"{name} is a link that leads in a circle") from None
        except (OSError, UnicodeError) as error:
            raise damaged(f"{name} cannot be looked at: {error}") from None
        return None if size is None else Shelved(name, size, lambda: io.BufferedReader(opened(path)))


class Tar:
    """A tar on disk."""

    def __init__(self, path: Path) -> None:
        """Reads the headers. Raises ArchiveUnusable for what is no tar, or ends early."""
        self._path = path
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        with reading(path.name), io.BufferedReader(opened(path), HEAD) as file:
            length = path.stat().st_size
            for header in headers(file, path.name):
                if header.offset + header.size > length:
                    raise damaged(f"{header.name} is longer than the rest of {path.name}")
                self._places.pop(header.name, None)
                self._links.pop(header.name, None)
                if header.leads_to is None:
                    self._places[header.name] = header.offset, header.size
                else:
                    self._links[header.name] = header.leads_to

    def find(self, name: str) -> Shelved | None:
        """See Shelf."""
        place = self._places.get(resolved(inside(name), self._links))
        if place is None:
            return None
        return Shelved(name, place[1], lambda: cast(BinaryIO, io.BufferedReader(Region(self._path, *place))))
