"""The bytes of blobs out of a stream, each checked against its digest while it passes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator


class Joined:
    """Chunks as something to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def read(self, count: int) -> bytes:
        """At most `count` bytes, none at the end."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        taken, self._rest = self._rest[:count], self._rest[count:]
        return bytes(taken)


class Blob:
    """The next `size` bytes of a source, to be read once. `keep`: remember them, for what is small and read twice."""

    def __init__(self, source: Joined, size: int, *, keep: bool = False) -> None:
        self._source, self._left = source, size
        self._hash = hashlib.sha256()
        self._kept: list[bytes] | None = [] if keep else None

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes as long as the source has them, fewer at the end: tarfile takes no less."""
        parts = []
        count = min(count, self._left)
        while count and (part := self._source.read(count)):
            parts.append(part)
            count -= len(part)
        taken = b"".join(parts)
        self._left -= len(taken)
        self._hash.update(taken)
        if self._kept is not None:
            self._kept.append(taken)
        return taken

    def all(self) -> bytes:
        """All of it, or what was kept of it."""
        while self.read(2**20):
            pass
        return b"".join(self._kept or ())

    def is_whole(self, digest: str) -> bool:
        """Whether everything was there and has this digest."""
        return not self._left and f"sha256:{self._hash.hexdigest()}" == digest
