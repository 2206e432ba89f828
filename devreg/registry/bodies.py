"""What one request carries of a blob: pieces for the socket, as many as it may have, and the headers that say so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

TYPE = {"Content-Type": "application/octet-stream"}
_PIECE = 256 * 1024  # bytes; what the socket does not take at once is copied, so more cost more (measured)


def pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, in pieces that a socket takes well. None is empty."""
    for block in blocks:
        for start in range(0, len(block), _PIECE):
            yield block[start : start + _PIECE]


def bodies(blocks: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """The same bytes, as bodies of `size` bytes in pieces; the last one may have less."""
    body: list[bytes] = []
    room = size
    for piece in pieces(blocks):
        rest = piece
        while len(rest) >= room:
            yield [*body, rest[:room]]
            rest, body, room = rest[room:], [], size
        if rest:
            body.append(rest)
            room -= len(rest)
    if body:
        yield body


def length(start: int, end: int | None) -> dict[str, str]:
    """The headers for all that is left of a blob; None for a length that is not known.

    Without a range when that is the whole blob: other clients send none, so no registry has to know what it is.
    """
    if end is None:
        return TYPE
    return span(start, end) if start else {**TYPE, "Content-Length": str(end)}


def span(start: int, end: int) -> dict[str, str]:
    """The headers for the bytes from `start` up to `end`: registries that look at them refuse what would not fit."""
    return {**TYPE, "Content-Length": str(end - start), "Content-Range": f"{start}-{end - 1}"}
