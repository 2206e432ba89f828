"""The headers of a tar that anybody may have made: what Python's reader makes of them, within bounds."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Protocol, cast

from devreg.model.archive_json import damaged
from devreg.model.docker_archive import inside

_MOST_MEMBERS = 100_000
_LONGEST = 2**18  # bytes of one member's headers; long names and attributes of files have a few thousand
_MOST_LINKS = 8


class Seekable(Protocol):
    """What a tar is read from: a file, or a stream that only goes forward."""

    def read(self, size: int, /) -> bytes:
        """`size` bytes, fewer at the end only."""

    def seek(self, position: int, /) -> int:
        """Go to a position; it is never before the current one."""

    def tell(self) -> int:
        """The current position."""


@dataclass(frozen=True)
class Header:
    """A regular member: its content is `size` bytes from `offset` on. Or a link to the member `leads_to`."""

    name: str
    offset: int
    size: int
    leads_to: str | None = None


def headers(file: Seekable, what: str) -> Iterator[Header]:
    """The regular members and links of a tar, in its order. Whoever iterates may read on, to the end of the content.

    `what` names the tar in the ArchiveUnusable that is raised for one that is damaged, for names and links that lead
    out, and for what only a tar program could read.
    """
    bounded = _Bounded(file)
    with reading(what):
        tar = tarfile.TarFile(fileobj=cast(IO[bytes], bounded))
    for _ in range(_MOST_MEMBERS):
        bounded.renew()
        with reading(what):
            member = tar.next()
        tar.members.clear()  # type: ignore[attr-defined]  # it would remember each
        if member is None:
            return
        if found := _header(member):
            yield found
    raise damaged(f"{what} has more than {_MOST_MEMBERS} members")


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so is a tar, as far as that shows: old ones have no mark."""
    return head[257:262] == b"ustar" or (bool(head) and not head.strip(b"\0"))


def resolved(name: str, links: Mapping[str, str]) -> str:
    """The name at the end of a chain of links; any of it where they lead in a circle."""
    for _ in range(_MOST_LINKS):
        if name not in links:
            break
        name = links[name]
    return name


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Around whatever reads an archive: what Python's readers raise leaves as ArchiveUnusable."""
    try:
        yield
    except OSError as error:
        raise damaged(f"{what} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
        raise damaged(f"{what} is no tar, or is damaged ({error})") from error


def _header(member: tarfile.TarInfo) -> Header | None:
    if member.size < 0:
        raise damaged(f"{member.name} has {member.size} bytes")
    if member.name == ".":
        return None
    name = inside(member.name)
    if member.issparse():
        raise damaged(f"{name} is stored as a sparse file: make the tar without --sparse")
    if member.issym() or member.islnk():
        return Header(name, member.offset_data, 0, _target(member))
    return Header(name, member.offset_data, member.size) if member.isreg() else None


def _target(link: tarfile.TarInfo) -> str:
    """The member that a link leads to: a symbolic one from its own folder, a hard one from the root."""
    folder = posixpath.dirname(link.name) if link.issym() else ""
    return inside(posixpath.join(folder, link.linkname))


class _Bounded:
    """A file whose headers are read in bounds: one may claim to be as large as the memory, or never end."""

    def __init__(self, file: Seekable) -> None:
        self._file = file
        self._left = _LONGEST
        self.seek, self.tell = file.seek, file.tell

    def renew(self) -> None:
        """The next member's headers begin."""
        self._left = _LONGEST

    def read(self, size: int) -> bytes:
        """See Seekable. Raises ValueError."""
        if not 0 <= size <= self._left:
            raise ValueError("a header is too long")
        self._left -= size
        return self._file.read(size)
