"""What happens, while it happens: bars for people, a line now and then for logs. On stderr only."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from devreg.model.events import Counted, Event, Layer, Listener, Step, Warn
from devreg.output import console
from devreg.output.console import inert
from devreg.output.count_bar import CountBar
from devreg.output.units import counted, size

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, Task

_LOG_SECONDS = 10.0
_LOG_SHARE = 0.1  # of all bytes: the next line comes when both have gone by
_ALL = "all layers"
_NOT_MOVED = ("already there", "mounted from")
_THERE = ("layer already exists", "already exists")  # Docker's words for a push and for a pull


@contextmanager
def reporting(*, quiet: bool = False) -> Iterator[Listener]:
    """A listener for one command, for events from any thread. When `quiet`, only warnings are written."""
    if quiet:
        yield _warnings_only
    elif console.person_listens() and not console.stderr().is_dumb_terminal:
        bars = _Bars()
        try:
            yield bars
        finally:
            bars.finish()
    else:
        lines = _Lines()
        yield lines
        lines.finish()


def _warnings_only(event: Event) -> None:
    if isinstance(event, Warn):
        console.note(_words(event))


def _columns() -> list[ProgressColumn]:
    """They fit 80 columns, whatever the numbers are."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.table import Column

    return [
        TextColumn("{task.fields[layer]}", markup=False, table_column=Column(width=12, no_wrap=True)),
        TextColumn("{task.description}", markup=False, table_column=Column(width=20, no_wrap=True)),
        BarColumn(bar_width=10),
        DownloadColumn(table_column=Column(min_width=14, justify="right", no_wrap=True)),
        TransferSpeedColumn(table_column=Column(min_width=10, justify="right", no_wrap=True)),
        TimeRemainingColumn(compact=True, table_column=Column(min_width=5, justify="right", no_wrap=True)),
    ]


class _Tally:
    """The layers of one image, as far as they are."""

    def __init__(self) -> None:
        self.layers: dict[str, Layer] = {}

    def note(self, event: Layer) -> Layer:
        """Take in what an event says, and return what is known of its layer now.

        A last event may lack the bytes; or have the whole layer's although none of them was moved.
        """
        status = event.status[:1].lower() + event.status[1:]
        status = "already there" if status in _THERE else status
        before = self.layers.get(event.id, event)
        current = event.current if event.total or event.current else before.current
        total = event.total or before.total
        total = max(total, current) if total or event.done else 0
        if event.done:
            current = total = 0 if status.startswith(_NOT_MOVED) or not current else total
        self.layers[event.id] = replace(event, status=status, current=current, total=total)
        return self.layers[event.id]

    @property
    def done(self) -> int:
        """How many layers are."""
        return sum(layer.done for layer in self.layers.values())

    @property
    def moved(self) -> int:
        """Bytes, of all layers."""
        return sum(layer.current for layer in self.layers.values())

    @property
    def total(self) -> int | None:
        """Bytes that there are to move; None while a layer's are unknown."""
        known = all(layer.total or layer.done for layer in self.layers.values())
        return sum(layer.total for layer in self.layers.values()) if known else None

    def __str__(self) -> str:
        """How many layers are done, and how they got there."""
        ways = Counter(layer.status for layer in self.layers.values() if layer.done)
        done, count = self.done, len(self.layers)
        layers = counted(count, "layer")
        told = ", ".join(f"{number} {way}" for way, number in ways.items())
        return (layers if done == count else f"{done} of {layers} done") + (f": {told}" if told else "")


class _Bars:
    """A bar for all layers and one for each that moves; what is done, steps and warnings scroll above them.

    Or a bar for things that are counted: only one kind of bars can be on the screen at a time.
    """

    def __init__(self) -> None:
        self._count = CountBar()
        self._tally = _Tally()
        self._tasks: dict[str, Task] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Counted):
                self._stop()
                self._count.show(event)
                return
            if isinstance(event, Layer):
                self._count.hide()
                self._layer(self._tally.note(event))
                return
            if isinstance(event, Step):
                self._count.hide()
                self._forget()
            self._print(_words(event))

    def finish(self) -> None:
        """Nothing more happens: the bars go away."""
        with self._lock:
            self._count.hide()
            self._stop()

    @cached_property
    def _progress(self) -> Progress:
        from rich.progress import Progress

        return Progress(*_columns(), console=console.stderr(), transient=True)

    def _stop(self) -> None:
        if "_progress" in vars(self):
            self._progress.stop()

    def _layer(self, layer: Layer) -> None:
        """Layers that wait have no bar: there may be more of them than lines on the screen."""
        tally = self._tally
        self._show(_ALL, f"{tally.done} of {len(tally.layers)} done", tally.moved, tally.total or 0)
        if layer.done:
            self._print(inert(f"{layer.id} {layer.status}") + (f", {size(layer.current)}" if layer.current else ""))
        if layer.current and not layer.done:
            self._show(layer.id, inert(layer.status), layer.current, layer.total)
        elif layer.id in self._tasks:
            self._progress.remove_task(self._tasks.pop(layer.id).id)

    def _show(self, name: str, status: str, current: int, total: int) -> None:
        self._progress.start()
        if name not in self._tasks:
            self._progress.add_task(status, layer=name, total=None, completed=current)
            self._tasks[name] = self._progress.tasks[-1]
        task = self._tasks[name]
        if task.total != (total or None):  # `update` would forget the rate with every new total, and takes no None
            task.total, task.finished_time = total or None, None
        self._progress.update(task.id, description=status, completed=current)

    def _forget(self) -> None:
        """The layers of one image are no news for the next."""
        for task in self._tasks.values():
            self._progress.remove_task(task.id)
        self._tasks.clear()
        self._tally = _Tally()

    def _print(self, line: str) -> None:
        console.stderr().print(line, soft_wrap=True)


class _Lines:
    """For logs: steps and warnings as they come, how far the layers are now and then, and what became of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin()

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Counted):
                return
            if isinstance(event, Layer):
                self._layer(event)
                return
            if isinstance(event, Step):
                self._end()
            console.note(_words(event))

    def finish(self) -> None:
        """Nothing more happens: tell what became of the layers."""
        with self._lock:
            self._end()

    def _begin(self) -> None:
        self._tally = _Tally()
        self._begun = self._told = time.monotonic()
        self._told_moved = 0

    def _end(self) -> None:
        if self._tally.layers:
            seconds = time.monotonic() - self._begun
            moved = f"; {size(self._tally.moved)} in {_duration(seconds)}" if self._tally.moved else ""
            console.note(f"  {self._tally}{moved}")
        self._begin()

    def _layer(self, event: Layer) -> None:
        before = self._tally.layers.get(event.id)
        layer = self._tally.note(event)
        if layer.status.startswith("resumed") and (before is None or before.status != layer.status):
            console.note(f"  {layer.id} {layer.status}")
        elapsed = time.monotonic() - self._told
        moved, total = self._tally.moved, self._tally.total
        news = abs(moved - self._told_moved)  # an upload that starts again takes bytes back
        if elapsed < _LOG_SECONDS or (total and news < total * _LOG_SHARE):
            return
        rate = max(moved - self._told_moved, 0) / elapsed
        console.note(f"  {self._tally}; {_how_far(moved, total, rate)}; {layer.status}")
        self._told, self._told_moved = time.monotonic(), moved


def _how_far(moved: int, total: int | None, rate: float) -> str:
    """`380.0 MB of 760.0 MB (50 %), 45.2 MB/s, 9 s left`, as far as it is known. Rate in bytes per second."""
    words = size(moved)
    if total:
        words += f" of {size(total)} ({moved / total:.0%})".replace("%", " %")
    words += f", {size(int(rate))}/s"
    if total and rate >= 1:
        words += f", {_duration((total - moved) / rate)} left"
    return words


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _words(event: Step | Warn) -> str:
    """Further lines are set in: a tag with a line end in it passes for no line of devreg's own."""
    text = f"warning: {event.text}" if isinstance(event, Warn) else event.text
    return inert(text, keep="\n").replace("\n", "\n    ")
