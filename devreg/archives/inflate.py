"""What is compressed, read as what it was: bounded, whatever it is made to grow to."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from devreg.archives.tar_headers import reading
from devreg.model.archive_json import damaged

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
