"""Several ways to do one thing take turns, so that a busy moment of the machine hits all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

Side = Callable[[], AbstractContextManager[Callable[[], object]]]
"""Prepares one run, gives what is timed, and tidies up afterwards. A call that has timed itself returns a float."""


def take_turns(sides: Mapping[str, Side], rounds: int) -> dict[str, float]:
    """Median seconds of each side."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            with side() as call:
                start = time.perf_counter()
                told = call()
                times[name].append(told if isinstance(told, float) else time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def figures(what: str, times: Mapping[str, float]) -> None:
    """Print the seconds of each side."""
    print(f"{what}: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in times.items()), flush=True)


def ratio(what: str, one: float, other: float) -> None:
    """Print how many times as long one took."""
    print(f"  {what} = {one / other:.2f}", flush=True)
