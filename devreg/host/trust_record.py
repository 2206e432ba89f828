"""What `trust` has added on this machine, and how it left the files: so that its own work can be told from others'."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from devreg.host.state import Record

_NAME = "trust"


class TrustRecord:
    """The record in a folder. It is on disk when a method returns. Raises ConfigUnusable when it is damaged."""

    def __init__(self, folder: Path) -> None:
        self._record = Record(_NAME, folder)

    def sweep(self) -> None:
        """Delete what a killed run has left of its writing."""
        self._record.sweep()

    def added(self, path: Path) -> tuple[str, ...]:
        """The addresses that devreg has added to a file, in that order."""
        entry = self._record.entries.get(str(path), {})
        return tuple(map(str, entry.get("added", ())))

    def paths(self) -> tuple[Path, ...]:
        """The files that devreg has added something to."""
        return tuple(Path(path) for path, entry in self._record.entries.items() if entry.get("added"))

    def left(self, path: Path, content: bytes) -> bool:
        """Whether devreg has left the file with just this content."""
        return bool(self._record.entries.get(str(path), {}).get("left") == _digest(content))

    def note(self, path: Path, *, added: Iterable[str], removed: Iterable[str], content: bytes | None) -> None:
        """Remember what was added and taken away, and the content that the file has now."""
        gone = frozenset(removed)
        kept = [each for each in self.added(path) if each not in gone]
        kept += [each for each in added if each not in kept]
        self._record.note(str(path), {"added": kept, "left": _digest(content or b"")})


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
