"""What uploads read: a blob as it lies in an archive, one that streams by, and a layer that becomes one on the way.

All are devreg.model.content.Content.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from devreg.archives.deflate import Block, gzipped, in_blocks
from devreg.archives.digesting import Digesting
from devreg.model.archive_json import damaged
from devreg.model.content import Spent

_PIECE = 2**19  # bytes; smaller ones cost more per byte on their way through httpx (16 KiB: five times as much)
_WINDOW = 2**24


@dataclass(frozen=True)
class Stored:
    """A blob that is in a file already. `open` gives a reader at its start, any number of times; `name` is for people.

    The bytes are not compared with the digest: the registry does that.
    """

    open: Callable[[], BinaryIO]
    digest: str
    size: int
    name: str

    def read(self, offset: int) -> Iterator[bytes]:
        """See Content. Raises ArchiveUnusable for a file that ends early or cannot be read."""
        try:
            with self.open() as file:
                file.seek(offset)
                left = self.size - offset
                while left > 0:
                    piece = file.read(min(left, _PIECE))
                    if not piece:
                        raise damaged(f"{self.name} ends {left} bytes early")
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise damaged(f"{self.name} cannot be read: {error.strerror or error}") from error


class _Streamed:
    """Bytes that come one after the other, and of which the last stay in memory. For one reader at a time."""

    def __init__(
        self, blocks: Iterator[Block], again: Callable[[], Iterator[Block]] | None = None, *, window: int = _WINDOW
    ) -> None:
        """`again` gives the same blocks once more, where they can be had; `window` is how many bytes stay at least.

        They stay until the object is let go of.
        """
        self._again = again
        self._size = window
        self._begin(blocks)

    def read(self, offset: int) -> Iterator[bytes]:
        """See Content. Bytes before `offset` that have not been made are made and dropped.

        Raises Spent, at once, where `offset` lies before what is in memory and there is no `again`. The iterator raises
        what the blocks raise.
        """
        if self._broken or offset < self._window.start:
            if self._again is None:
                raise Spent(f"the bytes from {offset} on are gone, and their source can be read once only")
            self._begin(self._again())
        return self._from(offset)

    def _begin(self, blocks: Iterator[Block]) -> None:
        self._broken = False
        self._window = _Window(self._size)
        self._stream = self._made_of(blocks)

    def _made_of(self, blocks: Iterator[Block]) -> Iterator[bytes]:
        """What the blob consists of. Not to refer to this object, which is let go of with its last user."""
        return map(bytes, blocks)

    def _made(self, piece: bytes) -> None:
        """There is one piece more."""

    def _ended(self) -> None:
        """There are no more."""

    def _from(self, offset: int) -> Iterator[bytes]:
        while offset < self._window.end or self._make():
            if offset < self._window.end:
                piece = self._window.piece(offset)
                offset += len(piece)
                yield piece

    def _make(self) -> bool:
        """Make one piece more. False at the end."""
        try:
            piece = next(self._stream, None)
        except BaseException:
            self._broken = True  # the stream has no end now, though its iterator will say that it has
            raise
        if piece is None:
            self._ended()
            return False
        self._made(piece)
        self._window.add(piece)
        return True


class Passing(_Streamed):
    """A blob as it is, from a source that can be read once. The registry compares it with its digest."""

    def __init__(self, blocks: Iterator[Block], digest: str, size: int, *, window: int = _WINDOW) -> None:
        """`window` is how many bytes stay in memory, at least."""
        self.digest = digest
        self.size = size
        super().__init__(blocks, window=window)


class Deflated(_Streamed):
    """The gzip stream of a layer, made while it is read.

    `digest` and `size` are the stream's, `diff_id` is the digest of what went in; None before the stream's end.
    """

    def _begin(self, blocks: Iterator[Block]) -> None:
        self.digest: str | None = None
        self.diff_id: str | None = None
        self.size: int | None = None
        super()._begin(blocks)

    def _made_of(self, blocks: Iterator[Block]) -> Iterator[bytes]:
        self._taken, self._given = Digesting(), Digesting()
        return gzipped(_telling(self._taken, blocks))

    def _made(self, piece: bytes) -> None:
        self._given.update(piece)

    def _ended(self) -> None:
        if self.digest is None:
            self.digest, self.diff_id, self.size = self._given.finish(), self._taken.finish(), self._window.end


class _Window:
    """The last bytes of a stream, `size` of them at least. `start` and `end` are offsets in the stream."""

    def __init__(self, size: int) -> None:
        self.start = self.end = 0
        self._size = size
        self._pieces: deque[bytes] = deque()

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.end += len(piece)
        while self.end - self.start - len(self._pieces[0]) >= self._size:
            self.start += len(self._pieces.popleft())

    def piece(self, offset: int) -> bytes:
        """What was added as one piece, from `offset` on. Raises Spent where that is no longer held."""
        start = self.end
        for piece in reversed(self._pieces):
            start -= len(piece)
            if start <= offset:
                return piece[offset - start :]
        raise Spent(f"the bytes from {offset} on have been let go of for another reader")


def _telling(digesting: Digesting, blocks: Iterator[Block]) -> Iterator[Block]:
    for block in in_blocks(blocks):
        digesting.update(block)
        yield block
