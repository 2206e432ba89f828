"""Several requests at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from threading import Event, Thread
from typing import TypeVar

PARALLEL = 8
"""Requests at a time. A registry on two cores answers no faster with more (measured)."""

SLICE = 10_000
"""Items that are made ready together: a million results that wait for their turn would fill the memory."""

_RUN = 20
"""Items of a portion at most: progress is told by portions."""

T = TypeVar("T")
R = TypeVar("R")


def in_order(work: Callable[[T], R], items: Sequence[T], *, parallel: int = PARALLEL) -> Iterator[R]:
    """What `work` makes of each item, in the items' order, some at a time. Raises what `work` does, in that order, too.

    A failure keeps those from starting that have not begun. Whoever stops listening, by Ctrl-C for one, waits for
    nothing that is under way: a request may hang for minutes. The end of the program would wait for threads that are
    no daemons.
    """
    for start in range(0, len(items), SLICE):
        yield from _in_order(work, items[start : start + SLICE], parallel)


def _in_order(work: Callable[[T], R], items: Sequence[T], parallel: int) -> Iterator[R]:
    results: list[Future[R]] = [Future() for _ in items]
    left, over = iter(range(len(items))), Event()

    def go() -> None:
        for at in left:
            if over.is_set():
                return
            try:
                results[at].set_result(work(items[at]))
            except BaseException as error:
                over.set()
                results[at].set_exception(error)

    for _ in items[:parallel]:
        Thread(target=go, daemon=True).start()
    try:
        for result in results:
            yield result.result()
    finally:
        over.set()


def portions(items: Sequence[T], *, parallel: int = PARALLEL) -> list[Sequence[T]]:
    """The items in runs, for work that is cheaper for several than for each. The runs are short enough to keep all
    threads at work nearly to the end."""
    size = max(1, min(_RUN, len(items) // (4 * parallel)))
    return [items[start : start + size] for start in range(0, len(items), size)]


def do_all(work: Callable[[T], None], items: Sequence[T], *, parallel: int = PARALLEL) -> None:
    """Do something for each item, some at a time. The first failure keeps those from starting that have not begun.

    Those that have begun are waited for, so that nothing goes on behind the back of whoever handles the failure; but
    not by Ctrl-C, as above.
    """
    left, failures = iter(items), list[BaseException]()

    def go() -> None:
        for item in left:
            try:
                work(item)
            except BaseException as error:
                failures.append(error)
            if failures:
                break

    threads = [Thread(target=go, daemon=True) for _ in items[:parallel]]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException as interrupt:
        failures.append(interrupt)
        raise
    if failures:
        raise failures[0]
