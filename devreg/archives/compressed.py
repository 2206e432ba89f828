"""Archives that are compressed as a whole, as `docker save | gzip` makes them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from devreg.archives.forward import BLOCK, Forward
from devreg.archives.one_pass import Passed, one_pass
from devreg.archives.region import opened
from devreg.archives.shelf import Shelved
from devreg.archives.tar_headers import reading
from devreg.model.archive_json import damaged
from devreg.model.docker_archive import inside

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
LONGEST_MAGIC = max(map(len, _MAGIC))
# Binaries shrink three- to fivefold, a sparse file's zeros a thousandfold: what grows so much is made to do harm.
_MOST_GROWTH, _FREE_BYTES = 200, 2**30
_XZ_MEMORY = 2**27  # bytes; `xz -9` needs half of it


def method(head: bytes) -> str | None:
    """How bytes that begin so are compressed, None where they are not."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def decompressed(stream: BinaryIO | io.RawIOBase, how: str, what: str) -> Growing:
    """The bytes within, as they are read. `how`: what `method` said. Raises ArchiveUnusable, which names `what`."""
    counted = _Counted(stream)
    if how == "gzip":
        inner = _gunzipped(counted)
    elif how == "bzip2":
        import bz2

        inner = cast(BinaryIO, bz2.BZ2File(cast(BinaryIO, counted)))
    elif how == "xz":
        inner = cast(BinaryIO, _Xz(counted))
    else:
        raise damaged(f"{what} is compressed with zstd: decompress it first, with `zstd -d`")
    return Growing(inner, counted, what)


def peeked(pipe: BinaryIO, what: str) -> tuple[bytes, _Rejoined]:
    """The first LONGEST_MAGIC bytes of a pipe, and the pipe with them still in it. Raises ArchiveUnusable."""
    with reading(what):
        head = pipe.read(LONGEST_MAGIC)
    return head, _Rejoined(head, pipe)


def content_digest(member: Shelved, how: str) -> str:
    """The digest of what is in a compressed member. Raises ArchiveUnusable for one that is damaged, and for a bomb."""
    sha = hashlib.sha256()
    with reading(member.name), member.open() as file:
        stream = Forward(decompressed(file, how, member.name))
        while block := stream.read(BLOCK):
            sha.update(block)
    return f"sha256:{sha.hexdigest()}"


def _gunzipped(stream: _Counted) -> BinaryIO:
    try:
        from isal.igzip import IGzipFile
    except ImportError:  # no build for this machine
        from gzip import GzipFile

        return cast(BinaryIO, GzipFile(fileobj=cast(BinaryIO, stream), mode="rb"))
    return cast(BinaryIO, IGzipFile(fileobj=stream, mode="rb"))  # type: ignore[no-untyped-call]


class Growing:
    """A decompressing reader that stops where it is made to fill the machine."""

    def __init__(self, inner: BinaryIO, counted: _Counted, what: str) -> None:
        self._inner = inner
        self._counted = counted
        self._what = what
        self._out = 0

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill some of `buffer`. Raises ArchiveUnusable for a stream that ends early or is damaged, and for a bomb."""
        try:
            count: int = self._inner.readinto(buffer) or 0  # type: ignore[attr-defined]
        except Exception as error:  # each library has classes of its own
            raise damaged(f"{self._what} ends early, or its compression is damaged ({error})") from error
        self._out += count
        if self._out > _FREE_BYTES and self._out > _MOST_GROWTH * self._counted.bytes:
            raise damaged(f"{self._what} grows more than {_MOST_GROWTH}-fold when it is decompressed")
        return count


class _Rejoined(io.RawIOBase):
    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        super().__init__()
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._head:
            return self._rest.readinto(buffer) or 0  # type: ignore[attr-defined]
        count = min(len(buffer), len(self._head))
        buffer[:count], self._head = self._head[:count], self._head[count:]
        return count


class _Counted(io.RawIOBase):
    def __init__(self, stream: BinaryIO | io.RawIOBase) -> None:
        super().__init__()
        self._stream = stream
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer)) or b""
        buffer[: len(data)] = data
        self.bytes += len(data)
        return len(data)


class _Xz(io.RawIOBase):
    """Python's own reader would take as much memory as the file asks for."""

    def __init__(self, stream: _Counted) -> None:
        super().__init__()
        self._stream = stream
        self._begin()

    def _begin(self) -> None:
        import lzma

        self._inner = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while True:
            if self._inner.eof:  # another stream may follow, after zeros
                data = self._inner.unused_data.lstrip(b"\0")
                while not data and (more := self._stream.read(io.DEFAULT_BUFFER_SIZE)):
                    data = more.lstrip(b"\0")
                if not data:
                    return 0
                self._begin()
            elif not self._inner.needs_input:
                data = b""
            elif not (data := self._stream.read(io.DEFAULT_BUFFER_SIZE) or b""):
                raise EOFError("no more of it")
            made = self._inner.decompress(data, len(buffer))
            if made:
                buffer[: len(made)] = made
                return len(made)


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
