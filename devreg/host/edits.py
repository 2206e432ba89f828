"""Changes of files, as values: what is there, what is to be there."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devreg.host import files


@dataclass(frozen=True)
class Edit:
    """One file's change. `before`, `after`: its content, None for no file.

    `passing`: what has to be there while the engine reads the file, where that differs from what stays afterwards.
    `own_folder`: the folder is there for this file, and goes with it.
    """

    path: Path
    before: bytes | None
    after: bytes | None
    passing: bytes | None = None
    own_folder: bool = False

    @property
    def read(self) -> bytes | None:
        """The content that the engine reads."""
        return self.after if self.passing is None else self.passing

    def reversed(self) -> Edit:
        """The way back, for engines that read their files whole."""
        return Edit(self.path, self.read, self.before, own_folder=self.own_folder)


def put(edit: Edit, content: bytes | None) -> None:
    """Give the file of an edit a content, None for no file. Raises ConfigUnusable; the file is then as it was."""
    if content is not None:
        files.write_atomic(edit.path, content)
        return
    files.remove(edit.path)
    if edit.own_folder:
        with suppress(OSError):  # somebody else has put something there
            edit.path.parent.rmdir()


def write(edits: Sequence[Edit]) -> None:
    """Write what the engine is to read. Raises ConfigUnusable."""
    for edit in edits:
        if files.read(edit.path) != edit.read:
            put(edit, edit.read)


def settle(edits: Sequence[Edit]) -> None:
    """Write what stays, once the engine has read the other, unless it was changed since. Raises ConfigUnusable."""
    for edit in edits:
        if edit.after != edit.read and files.read(edit.path) == edit.read:
            put(edit, edit.after)
