"""A bar for things that are counted, on a terminal, once that takes longer than a second."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from devreg.model.events import Counted
from devreg.output import console

if TYPE_CHECKING:
    from rich.progress import Progress

_SECONDS = 1.0


class CountBar:
    """The bar. It goes away without a trace. Who has begun to count and waits for a slow registry sees it, too."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._progress: Progress | None = None
        self._timer: threading.Timer | None = None
        self._latest: Counted | None = None
        self._lock = threading.Lock()

    def show(self, event: Counted) -> None:
        """How far it is now."""
        with self._lock:
            self._latest = event
            left = self._begun + _SECONDS - time.monotonic()
            if left <= 0:
                self._draw(event)
            elif self._timer is None:
                self._timer = threading.Timer(left, self._in_time)
                self._timer.daemon = True
                self._timer.start()

    def hide(self) -> None:
        """Take the bar away."""
        with self._lock:
            self._latest = None
            if self._progress is not None:
                self._progress.stop()
                self._progress = None

    def _in_time(self) -> None:
        with self._lock:
            if self._latest is not None:
                self._draw(self._latest)

    def _draw(self, event: Counted) -> None:
        if self._progress is None:
            self._progress = _bar()
        self._progress.update(
            self._progress.task_ids[0],
            description=console.inert(event.what),
            completed=event.done,
            total=event.total or None,
        )
        self._progress.start()


def _bar() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    progress = Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=20),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        console=console.stderr(),
        transient=True,
    )
    progress.add_task("", total=None)
    return progress
