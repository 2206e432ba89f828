"""What happens, while it happens: bars for people, a line now and then for logs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from devreg.model.events import Event, Layer, Listener, Step, Warn
from devreg.output import console
from devreg.output.units import size

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

_LOG_SECONDS = 5.0


@contextmanager
def reporting() -> Iterator[Listener]:
    """A listener for one command. It writes to stderr only."""
    if console.person_listens():
        from rich.progress import Progress

        with Progress(*_columns(), console=console.stderr(), transient=True) as progress:
            yield _Bars(progress)
    else:
        yield _Lines()


def _columns() -> list[ProgressColumn]:
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn

    return [
        TextColumn("{task.fields[layer]}"),
        TextColumn("{task.description:<22}"),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TransferSpeedColumn(),
    ]


class _Bars:
    """One bar for each layer; steps and warnings scroll above them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Layer):
            self._layer(event)
        else:
            self._forget()
            self._progress.console.print(_words(event), soft_wrap=True)

    def _layer(self, layer: Layer) -> None:
        if layer.id not in self._tasks:
            self._tasks[layer.id] = self._progress.add_task(layer.status, layer=layer.id, total=None)
        task = self._tasks[layer.id]
        self._progress.update(task, description=layer.status)
        if layer.total:
            self._progress.update(task, completed=layer.current, total=layer.total)
        if layer.done:
            self._progress.update(task, completed=layer.total or 1, total=layer.total or 1)

    def _forget(self) -> None:
        """The layers of one image are no news for the next."""
        for task in self._tasks.values():
            self._progress.remove_task(task)
        self._tasks.clear()


class _Lines:
    """For logs: steps and warnings as they come, and every few seconds how many layers are done."""

    def __init__(self) -> None:
        self._layers: dict[str, Layer] = {}
        self._told = time.monotonic()

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Layer):
            self._layers.clear()
            self._told = time.monotonic()
            console.note(_words(event))
            return
        self._layers[event.id] = event
        if time.monotonic() - self._told >= _LOG_SECONDS:
            self._told = time.monotonic()
            console.note(self._summary())

    def _summary(self) -> str:
        layers = self._layers.values()
        done = sum(layer.done for layer in layers)
        moved, total = sum(layer.current for layer in layers), sum(layer.total for layer in layers)
        latest = next(reversed(self._layers.values())).status.lower()
        return f"  {done} of {len(self._layers)} layers done, {size(moved)} of {size(total)} moved; {latest}"


def _words(event: Step | Warn) -> str:
    return f"warning: {event.text}" if isinstance(event, Warn) else event.text
