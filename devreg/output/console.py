"""Where words go: results to stdout, all else to stderr."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def stdout() -> Console:
    """The console for results."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


@cache
def stderr() -> Console:
    """The console for everything that is not the result."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def is_terminal() -> bool:
    """Whether a person looks at stdout."""
    return sys.stdout.isatty()


def person_listens() -> bool:
    """Whether a person looks at stderr."""
    return sys.stderr is not None and sys.stderr.isatty() and stderr().is_terminal


def result(line: str) -> None:
    """One line of the result, as it is: no wrapping, no colour."""
    print(line)


def note(line: str) -> None:
    """One line for the person, not part of the result. Never on stdout, even where stderr is closed."""
    if sys.stderr is not None:
        print(line, file=sys.stderr)


def failure(message: str, hint: str) -> None:
    """What went wrong, and what to do next."""
    note(f"devreg: {message}")
    note(f"  next: {hint}")
