"""Changes of files, as values: what is there, what is to be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devreg.host import files


@dataclass(frozen=True)
class Edit:
    """One file's change. `before`, `after`: its content, None for no file.

    `passing`: what has to be there while the engine reads the file, where that differs from what stays afterwards.
    """

    path: Path
    before: bytes | None
    after: bytes | None
    passing: bytes | None = None

    @property
    def read(self) -> bytes | None:
        """The content that the engine reads."""
        return self.after if self.passing is None else self.passing

    @property
    def changes(self) -> bool:
        """Whether anything is written at all."""
        return self.before not in (self.after, self.read) or self.read != self.after

    def reversed(self) -> Edit:
        """The way back, for engines that read their files whole."""
        return Edit(self.path, self.read, self.before)


def put(path: Path, content: bytes | None) -> None:
    """Give a file its content, None for no file. Raises ConfigUnusable; the file is then as it was."""
    if content is None:
        files.remove(path)
    else:
        files.write_atomic(path, content)


def write(edits: Sequence[Edit]) -> None:
    """Write what the engine is to read. Raises ConfigUnusable."""
    for edit in edits:
        if files.read(edit.path) != edit.read:
            put(edit.path, edit.read)


def settle(edits: Sequence[Edit]) -> None:
    """Write what stays, once the engine has read the other. Raises ConfigUnusable."""
    for edit in edits:
        if edit.after != edit.read:
            put(edit.path, edit.after)
