"""Signals are kept away from a clean-up, and are back afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from threading import Thread
from typing import Any

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


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def test_what_ends_a_process_waits_until_the_end(caught: list[int]) -> None:
    assert set(ENDING) == {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    with uninterrupted():
        for number in ENDING:
            send(number)
        assert caught == []
    assert sorted(caught) == sorted(ENDING)
    for number in ENDING:
        send(number)
    assert len(caught) == 2 * len(ENDING)


def test_it_comes_through_an_open_gate_and_what_waits_comes_first(caught: list[int]) -> None:
    with uninterrupted() as gate:
        send(signal.SIGTERM)
        with gate.open():
            assert caught == [signal.SIGTERM]
            send(signal.SIGINT)
            assert caught == [signal.SIGTERM, signal.SIGINT]
        send(signal.SIGHUP)
        assert len(caught) == 2
    assert len(caught) == 3


def interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("handler", [interrupt, signal.SIG_DFL], ids=["the boundary's", "nobody's"])
def test_the_way_back_from_an_interrupt_is_not_interrupted(caught: list[int], handler: Any) -> None:
    signal.signal(signal.SIGTERM, handler)
    way = []

    def there_and_back() -> None:
        with uninterrupted() as gate:
            try:
                with gate.open():
                    way.append("there")
                    send(signal.SIGTERM)
                    way.append("on")
            except KeyboardInterrupt:
                send(signal.SIGTERM)
                way.append("back")
                raise

    with pytest.raises(KeyboardInterrupt):
        there_and_back()
    assert (way, caught) == (["there", "back"], [])
    assert signal.getsignal(signal.SIGTERM) is handler


def test_within_a_closed_gate_an_open_one_lets_nothing_through(caught: list[int]) -> None:
    with uninterrupted():
        with uninterrupted() as inner, inner.open():
            send(signal.SIGTERM)
            send(signal.SIGTERM)
            assert caught == []
        assert caught == []
    assert caught == [signal.SIGTERM, signal.SIGTERM]


def test_within_an_open_gate_a_closed_one_holds(caught: list[int]) -> None:
    with uninterrupted() as gate, gate.open():
        with uninterrupted():
            send(signal.SIGTERM)
            assert caught == []
        assert caught == [signal.SIGTERM]


def test_what_is_ignored_stays_ignored(caught: list[int]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with uninterrupted() as gate, gate.open():
        send(signal.SIGHUP)
    assert caught == []
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_failure_says_more_than_a_signal_that_waited(caught: list[int]) -> None:
    def fail() -> None:
        with uninterrupted():
            send(signal.SIGTERM)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert caught == []
    send(signal.SIGTERM)
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
