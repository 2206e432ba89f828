"""A large file that only its owner may read, under its name only when it is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from devreg.model.errors import ConfigUnusable


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, mode 0600, that takes its name at the end of the block, and the place of one that has it.

    When the block fails nothing stays. Raises ConfigUnusable when it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise _unusable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file to read from. Raises ConfigUnusable when it cannot be."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigUnusable(f"could not read {path}: {error.strerror}", hint="see what is at that path") from error
    with file:
        yield file


def _unusable(path: Path, error: OSError) -> ConfigUnusable:
    return ConfigUnusable(f"could not write {path}: {error.strerror}", hint="make room, or choose another place")
