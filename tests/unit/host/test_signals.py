"""Signals are kept away from a clean-up, and are back afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from threading import Thread

import pytest

from devreg.host.signals import ENDING, uninterrupted


@pytest.fixture
def caught() -> Iterator[list[int]]:
    """The signals that arrived."""
    numbers: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: numbers.append(number)) for number in ENDING}
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def test_what_ends_a_process_is_ignored_meanwhile(caught: list[int]) -> None:
    assert set(ENDING) == {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    with uninterrupted():
        for number in ENDING:
            os.kill(os.getpid(), number)
    assert caught == []
    for number in ENDING:
        os.kill(os.getpid(), number)
    assert sorted(caught) == sorted(ENDING)


def test_signals_are_back_after_a_failure(caught: list[int]) -> None:
    with pytest.raises(ValueError, match="no"), uninterrupted():
        raise ValueError("no")
    os.kill(os.getpid(), signal.SIGTERM)
    assert caught == [signal.SIGTERM]


def test_in_another_thread_it_does_nothing(caught: list[int]) -> None:
    seen: list[object] = []

    def work() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
    assert caught == []
