"""A stream that goes forward only, read as far as a tar needs it: no copies, no way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

BLOCK = 2**20


class Readable(Protocol):
    """What gives bytes: a pipe, a socket's file, a decompressing reader."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill some of `buffer`; 0 at the end."""


class Forward:
    """What `tarfile` asks of a file, for a stream: `seek` only leads forward, and reads what it skips."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._at = 0

    def tell(self) -> int:
        """Bytes read so far."""
        return self._at

    def read(self, size: int) -> bytes:
        """`size` bytes, fewer at the end only."""
        buffer = bytearray(size)
        view, filled = memoryview(buffer), 0
        while filled < size:
            count = self._stream.readinto(view[filled:])
            if not count:
                break
            filled += count
        self._at += filled
        view.release()
        del buffer[filled:]
        return bytes(buffer) if size < BLOCK else buffer  # type: ignore[return-value]  # a copy of a block costs

    def seek(self, position: int) -> int:
        """Skip to `position`, or to the end. Returns where that is. Raises ValueError for the way back."""
        if position < self._at:
            raise ValueError("a stream does not go back")
        dropped = memoryview(bytearray(min(BLOCK, position - self._at)))
        while self._at < position:
            count = self._stream.readinto(dropped[: position - self._at])
            if not count:
                break
            self._at += count
        return self._at

    def blocks(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes in blocks. Raises EOFError where the stream ends before."""
        end = self._at + size
        while self._at < end:
            wanted = min(BLOCK, end - self._at)
            block = self.read(wanted)
            if len(block) < wanted:
                raise EOFError("it ends early")
            yield block
