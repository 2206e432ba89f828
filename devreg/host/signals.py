"""Keep signals away from what must not end halfway: a change that is on record, and the way back from it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Gate:
    """Behind it Ctrl-C, SIGTERM and a closed terminal wait. They get through while it is open."""

    def __init__(self) -> None:
        self._closed = True
        self._waiting: list[int] = []
        self._before: dict[int, Any] = {}

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let signals through for as long as this takes: those that wait too. The first one that raises closes it."""
        self._closed = False
        try:
            self._let_in()
            yield
        finally:
            self._closed = True

    def _put_up(self) -> None:
        for number in ENDING:
            handler = signal.getsignal(number)
            if handler not in (None, signal.SIG_IGN):  # nohup means it; None is another language's
                self._before[number] = handler
                signal.signal(number, self._arrives)

    def _take_down(self) -> None:
        self._closed = False
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _let_in(self) -> None:
        while self._waiting:
            self._hand_on(self._waiting.pop(0))

    def _arrives(self, number: int, _frame: FrameType | None) -> None:
        if self._closed:
            self._waiting.append(number)
        else:
            self._hand_on(number)

    def _hand_on(self, number: int) -> None:
        """To who was told of it before: the boundary, or a gate around this one."""
        self._closed = True  # whatever follows a KeyboardInterrupt is the way back
        handler = self._before.get(number)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(number, None)
        self._closed = False


@contextmanager
def uninterrupted() -> Iterator[Gate]:
    """Have Ctrl-C, SIGTERM and a closed terminal wait until this is done, or until the gate is opened within.

    Those that still wait come at the end, unless it ends with an error, which says more. Only the main thread is told
    of signals: in others this does nothing.
    """
    gate = Gate()
    if threading.current_thread() is not threading.main_thread():
        yield gate
        return
    try:
        gate._put_up()  # of this very file
        yield gate
    finally:
        gate._take_down()
    gate._let_in()
