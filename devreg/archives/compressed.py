"""Archives that are compressed as a whole, as `docker save | gzip` makes them, and members that are compressed."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from devreg.archives.forward import BLOCK, Forward
from devreg.archives.inflate import decompressed
from devreg.archives.one_pass import Passed, one_pass
from devreg.archives.region import opened
from devreg.archives.shelf import Shelved
from devreg.archives.tar_headers import reading
from devreg.model.docker_archive import inside


def content_digest(member: Shelved, how: str) -> str:
    """The digest of what is in a compressed member. Raises ArchiveUnusable for one that is damaged, and for a bomb."""
    sha = hashlib.sha256()
    with reading(member.name), member.open() as file:
        stream = Forward(decompressed(file, how, member.name))
        while block := stream.read(BLOCK):
            sha.update(block)
    return f"sha256:{sha.hexdigest()}"


@dataclass(frozen=True)
class _Place:
    offset: int
    size: int
    head: bytes


class CompressedTar:
    """A compressed tar on disk, as a Shelf: each reader decompresses from the start up to its member."""

    def __init__(self, path: Path, how: str) -> None:
        """Reads it once, to the end. Raises ArchiveUnusable for what is no tar, ends early or is a bomb."""
        self._path = path
        self._how = how
        with reading(path.name), io.BufferedReader(opened(path)) as file:
            self._passed: Passed[_Place] = one_pass(
                decompressed(file, how, path.name),
                lambda member, _small: _Place(member.offset, member.size, member.head),
                path.name,
            )

    def find(self, name: str) -> Shelved | None:
        """See Shelf."""
        name = inside(name)
        text = self._passed.text(name)
        if text is not None:
            return Shelved(name, len(text), lambda: io.BytesIO(text))
        place = self._passed.made(name)
        if place is None:
            return None
        return Shelved(name, place.size, lambda: cast(BinaryIO, _Part(self._path, self._how, place)), place.head)


class _Part(io.RawIOBase):
    """One member of a compressed tar."""

    def __init__(self, path: Path, how: str, place: _Place) -> None:
        super().__init__()
        self._place = place
        self._file = io.BufferedReader(opened(path))
        self._stream = Forward(decompressed(self._file, how, path.name))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Forward only."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the start")
        return self._stream.seek(self._place.offset + min(offset, self._place.size)) - self._place.offset

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._stream.seek(max(self._stream.tell(), self._place.offset))
        end = self._place.offset + self._place.size
        data = self._stream.read(min(len(buffer), max(end - self._stream.tell(), 0)))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
