"""Where a command's bytes go to and come from: a file by its name, or for `-` the stream that is given."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from devreg.host import private_file


def output(name: str, standard: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    """What to write to. A file is nobody else's to read, and whole or not there. Raises ConfigUnusable."""
    return nullcontext(standard) if name == "-" else private_file.written(Path(name))


def source(name: str, standard: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    """What to read from. Raises ConfigUnusable."""
    return nullcontext(standard) if name == "-" else private_file.opened(Path(name))
