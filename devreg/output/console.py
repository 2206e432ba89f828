"""Where words go: results to stdout, all else to stderr."""

from __future__ import annotations

import io
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def stdout() -> Console:
    """The console for results."""
    from rich.console import Console

    _lenient_stdout()
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


def inert(text: str, *, keep: str = "") -> str:
    """Text from elsewhere, fit to be shown: nothing in it moves the cursor, changes colours or turns the line round.

    What is neither printable nor in `keep` is written as in Python: `\\x1b`, `\\n`, `\\u202e`, `\\udc80`.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode("ascii") for each in text
    )


def result(line: str) -> None:
    """One line of the result: no wrapping, no colour, inert but for tabs and line ends."""
    _lenient_stdout()
    print(inert(line, keep="\t\n"))


def note(line: str) -> None:
    """One line for the person, not part of the result, inert as a result is. Never on stdout, even without stderr."""
    if sys.stderr is not None:
        print(inert(line, keep="\t\n"), file=sys.stderr)


def failure(message: str, hint: str) -> None:
    """What went wrong, and what to do next. Further lines of a message are set in: none passes for devreg's own."""
    further = "\n    "
    note(f"devreg: {message}".replace("\n", further))
    note(f"  next: {hint}".replace("\n", further))


def _lenient_stdout() -> None:
    """Have what stdout's encoding lacks written as `\\xe9`, as Python does on stderr, rather than raise an error."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors != "backslashreplace":
        sys.stdout.reconfigure(errors="backslashreplace")
