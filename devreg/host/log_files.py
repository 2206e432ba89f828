"""Log files that are rotated as they grow: NAME, NAME.1 the one before, NAME.2.gz, and so on. Read, and followed."""

from __future__ import annotations

import gzip
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

_POLL_SECONDS = 0.3
_LAST_BYTES = 16384
_NUMBER = re.compile(r"\.(\d+)(?:\.gz)?")


def read(log: Path, *, tail: int | None, follow: bool) -> Iterator[bytes]:
    """All that was written, the oldest first, or the last `tail` lines; with `follow` what comes too, for ever.

    Raises FileNotFoundError where nothing was ever written.
    """
    stream = log.open("rb")
    try:
        lines = b"".join([*map(_bytes_of, _older(log)), stream.read()]).splitlines(keepends=True)
        yield b"".join(lines if tail is None else lines[len(lines) - min(tail, len(lines)) :])
        while follow:
            rotated = _rotated(log, stream.fileno())
            if chunk := stream.read():
                yield chunk
            elif rotated:
                stream.close()
                stream = log.open("rb")
            else:
                time.sleep(_POLL_SECONDS)
    finally:
        stream.close()


def lines(log: Path, since: datetime) -> Iterator[str]:
    """The lines of all files that were written to since then, the newest first: a rotation meanwhile hides none."""
    for file in [log, *reversed(_older(log))]:
        with suppress(FileNotFoundError):  # nothing was ever written, or it has just been rotated away
            if file.stat().st_mtime >= since.timestamp():
                yield from _bytes_of(file).decode(errors="replace").splitlines()


def last_line(log: Path) -> str:
    """The last thing that was said."""
    with suppress(OSError), log.open("rb") as stream:
        stream.seek(-min(_LAST_BYTES, os.fstat(stream.fileno()).st_size), os.SEEK_END)
        said = [line.strip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
        if said:
            return said[-1]
    return "it said nothing"


def _older(log: Path) -> list[Path]:
    """The rotated ones, the oldest first."""
    named = ((_NUMBER.fullmatch(each.name.removeprefix(log.name)), each) for each in log.parent.glob(f"{log.name}.*"))
    numbered = [(int(found[1]), each) for found, each in named if found]
    return [each for _, each in sorted(numbered, reverse=True)]


def _bytes_of(file: Path) -> bytes:
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def _rotated(log: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):  # just between its renaming and the next one's beginning
        return not os.path.samestat(log.stat(), os.fstat(descriptor))
    return False
