"""The moments of a run just before each of its changes of files, to have something happen to it there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

# What devreg makes a file with, puts it into its place and takes it away; a new folder comes just before a new file.
CHANGES = ((tempfile, "mkstemp"), (Path, "replace"), (Path, "unlink"), (Path, "rmdir"))


class Killed(BaseException):
    """Stands for SIGKILL: nothing of devreg happens after it."""


def at_each(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], happens: Callable[[int], None]) -> None:
    """Call `act`, and `happens` with a number before each of its changes of files."""
    numbers = count()

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            happens(next(numbers))
            return function(*args, **options)

        return called

    with monkeypatch.context() as patch:
        for owner, name in CHANGES:
            patch.setattr(owner, name, watched(getattr(owner, name)))
        act()


def killed_at(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> bool:
    """Have `act` killed at one of those moments. False where it has fewer: it has come to its end."""

    def dies(now: int) -> None:
        if now >= number:  # who is dead cannot put anything back
            raise Killed

    try:
        at_each(monkeypatch, act, dies)
    except Killed:
        return True
    return False


def kills(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Iterator[int]:
    """Have `act` killed at each of its moments in turn, for the block to look at what it left; the last run ends."""
    for number in count():
        if not killed_at(monkeypatch, number, act):
            return
        yield number
