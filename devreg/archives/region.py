"""Files of an archive on disk, and parts of files that are read as if they were files of their own."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path


def opened(path: Path) -> io.FileIO:
    """A regular file, to be read. Raises OSError, also for anything else: a FIFO would keep its reader waiting."""
    file = io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file


class Region(io.RawIOBase):
    """`size` bytes of the file at `path`, from `offset` on. Has a handle of its own, so several may be read at once."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        super().__init__()
        self._file = opened(path)
        self._start = offset
        self._size = size
        self._at = 0
        self._file.seek(offset)

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See io.IOBase."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = min(max(base + offset, 0), self._size)
        self._file.seek(self._start + self._at)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """See io.RawIOBase."""
        view = memoryview(buffer)[: self._size - self._at]
        count = (self._file.readinto(view) or 0) if len(view) else 0
        self._at += count
        return count

    def close(self) -> None:
        """See io.IOBase."""
        if not self.closed:
            self._file.close()
        super().close()
