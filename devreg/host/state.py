"""What devreg has to remember on this machine: records of what it changed, so that it can be undone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import platformdirs

from devreg.host.files import is_root, read, remove, sweep, write_atomic
from devreg.model.errors import ConfigUnusable

MACHINE_STATE = Path("/var/lib/devreg")


def state_folder() -> Path:
    """The machine's for root (/var/lib/devreg), the user's own for everybody else."""
    return MACHINE_STATE if is_root() else Path(platformdirs.user_state_dir("devreg", appauthor=False))


class Record:
    """A JSON object in a file that is on disk before the change that it tells of. Empty when there is no file."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self._file = (folder or state_folder()) / f"{name}.json"
        self.entries = self._load()

    def note(self, key: str, value: object) -> None:
        """Remember one thing, now."""
        self.entries[key] = value
        write_atomic(self._file, json.dumps(self.entries, indent=2).encode(), mode=0o600)

    def sweep(self) -> None:
        """Delete what killed writers have left beside the file."""
        sweep(self._file)

    def forget(self, key: str) -> None:
        """Forget one thing; the file goes with the last."""
        if key not in self.entries:
            return
        del self.entries[key]
        if self.entries:
            write_atomic(self._file, json.dumps(self.entries, indent=2).encode(), mode=0o600)
        else:
            remove(self._file)

    def _load(self) -> dict[str, Any]:
        try:
            entries = json.loads(read(self._file) or b"{}")
        except ValueError:
            entries = None
        if not isinstance(entries, dict):
            raise ConfigUnusable(
                f"{self._file} is damaged", hint="remove it; what it recorded has to be undone by hand"
            )
        return entries
