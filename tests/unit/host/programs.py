"""Stand-ins for programs: scripts, which write down how they were called. What has no stand-in cannot be run."""

from __future__ import annotations

from pathlib import Path

import pytest


class Programs:
    """A folder of programs, and a shell, as the whole PATH; `calls` gives their command lines in order."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._log = folder / "calls"
        self._log.touch()
        (folder / "sh").symlink_to("/bin/sh")
        monkeypatch.setenv("PATH", str(folder))

    def add(self, name: str, body: str = "") -> None:
        """A program that notes its words and goes on with `body`."""
        program = self._folder / name
        program.write_text(f'#!/bin/sh\nPATH=/usr/bin:/bin\necho "{name} $*" >> {self._log}\n{body}\n')
        program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._log.read_text().splitlines()
