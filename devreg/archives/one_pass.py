"""An archive that comes as a stream: small members are kept, the others are handed on as they come by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, TypeVar

from devreg.archives.forward import Forward, Readable
from devreg.archives.shelf import HEAD
from devreg.archives.tar_headers import headers, reading, resolved
from devreg.model.archive_json import SMALL, damaged

_KEPT_BYTES = 4 * SMALL
_PADDING = SMALL  # bytes after the end of a tar; tar programs fill it up to the size of a record

T = TypeVar("T")


@dataclass(frozen=True)
class Member:
    """A member while it comes by: its blocks can be read once, now. `offset`: where they begin in the tar; `head`: its
    first HEAD bytes."""

    name: str
    offset: int
    size: int
    head: bytes
    blocks: Iterator[bytes]


@dataclass
class Passed(Generic[T]):
    """What has come by: the content of small members, what was made of the others, and links, by name."""

    small: dict[str, bytes] = field(default_factory=dict)
    taken: dict[str, T] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> bytes | None:
        """The content of a small member, None where there is none."""
        return self.small.get(resolved(name, self.links))

    def made(self, name: str) -> T | None:
        """What was made of a member, None where it was none that was handed on."""
        return self.taken.get(resolved(name, self.links))

    def forget(self, name: str) -> None:
        """A member of that name follows: the last one counts, as it does for tar programs."""
        for each in (self.small, self.taken, self.links):
            each.pop(name, None)


def one_pass(stream: Readable, take: Callable[[Member, Mapping[str, bytes]], T], what: str) -> Passed[T]:
    """Read a tar to its end. `take` is called with each member that is not small, and with the small ones so far.

    `what` names the stream in the ArchiveUnusable that is raised where it is damaged.
    """
    passed: Passed[T] = Passed()
    forward, kept = Forward(stream), 0
    for header in headers(forward, what):
        passed.forget(header.name)
        if header.leads_to is not None:
            passed.links[header.name] = header.leads_to
            continue
        blocks = _read(forward, header.size, what)
        first = next(blocks, b"")
        if _is_small(header.size, first) and kept + header.size <= _KEPT_BYTES:
            passed.small[header.name] = b"".join((first, *blocks))
            kept += header.size
        else:
            member = Member(header.name, header.offset, header.size, bytes(first[:HEAD]), chain((first,), blocks))
            passed.taken[header.name] = take(member, passed.small)
    _read_padding(forward, what)
    return passed


def _read(forward: Forward, size: int, what: str) -> Iterator[bytes]:
    blocks = forward.blocks(size)
    while True:
        with reading(what):
            block = next(blocks, None)
        if block is None:
            return
        yield block


def _read_padding(forward: Forward, what: str) -> None:
    """To the end of the stream: whoever writes it wants to be read, and a compressed one tells there if it is whole."""
    end = forward.tell() + _PADDING
    with reading(what):
        if forward.seek(end) == end:
            raise damaged(f"{what} goes on after the end of its tar")


def _is_small(size: int, head: bytes) -> bool:
    """Whether it is a manifest or a config, which begin with a bracket, rather than a layer."""
    return size < HEAD or (size <= SMALL and head[:64].lstrip()[:1] in (b"{", b"["))
