"""A signal at any moment of a change: what was begun is undone or done, and nothing is left for the next run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devreg.host import files
from devreg.host.journal import Journal
from tests.unit.actions.test_trust import AFTER, BEFORE, Lab, lab

__all__ = ["lab"]


@pytest.fixture(autouse=True)
def as_the_boundary_does() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


class Stops:
    """Tells this process to stop, just before or just after the `number`th change of a file."""

    def __init__(self, number: int, when: str) -> None:
        self.seen = 0
        self._number = number
        self._when = when

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(path: Path, *args: Any, **options: Any) -> Any:
            self._tell("before")
            result = function(path, *args, **options)
            self._tell("after")
            self.seen += 1
            return result

        return watched

    def _tell(self, when: str) -> None:
        if self.seen == self._number and when == self._when:
            os.kill(os.getpid(), signal.SIGTERM)


CHANGES = 5


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(CHANGES))
def test_a_signal_at_each_change_of_a_file(lab: Lab, monkeypatch: pytest.MonkeyPatch, number: int, when: str) -> None:
    stops = Stops(number, when)
    monkeypatch.setattr(files, "write_atomic", stops.around(files.write_atomic))
    monkeypatch.setattr(files, "remove", stops.around(files.remove))
    with pytest.raises(KeyboardInterrupt):
        lab.trust()
    assert stops.seen >= number
    trusted = lab.file.read_text() == AFTER
    assert lab.file.read_text() == (AFTER if trusted else BEFORE)
    assert ("registry.example:5000" in lab.engine.state.insecure) is trusted
    assert not Journal(lab.state).exists


def test_those_are_all_of_its_changes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    stops = Stops(-1, "never")
    monkeypatch.setattr(files, "write_atomic", stops.around(files.write_atomic))
    monkeypatch.setattr(files, "remove", stops.around(files.remove))
    lab.trust()
    assert stops.seen == CHANGES
