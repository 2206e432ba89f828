"""Where in a TOML text something stands: tomlkit parses, but does not tell.

A statement (a key with its value, a header, a comment) ends with a line, and no line before its last ends one: an open
string or bracket does not parse. So the fewest lines that parse are a statement, and the first statement with which a
path is there is the one that brings it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines knows more ends of lines than TOML
_MARK = "devreg looks for this item"


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement, with the number of its first line. What never becomes one comes last, as it is."""
    pending, first = "", 1
    for number, line in enumerate(_LINE.findall(text), 1):
        pending += line
        if parses(pending):
            yield first, pending
            pending, first = "", number + 1
    if pending:
        yield first, pending


def parses(text: str) -> bool:
    """Whether the text is TOML."""
    try:
        tomlkit.parse(text)
    except TOMLKitError:
        return False
    return True


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line, from 1, in which the key or list item at `path` of a valid text begins; 1 for the text itself."""
    end = 0
    for first, statement in statements(text):
        end += len(statement)
        if path and _has(tomlkit.parse(text[:end]).unwrap(), path):
            return first + _lines_before(statement, path)
    return 1


def first_clash(text: str) -> int | None:
    """The line of the first statement that does not go with those before it, such as a duplicate key. None: no such."""
    end = 0
    for first, statement in statements(text):
        end += len(statement)
        if not parses(text[:end]):
            return first if parses(statement) else None
    return None


def _has(value: Any, path: Sequence[str | int]) -> bool:
    for step in path:
        known = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
        if step not in known:
            return False
        value = value[step]
    return True


def _lines_before(statement: str, path: Sequence[str | int]) -> int:
    """How many lines of a statement of several lines come before the item at `path` in it."""
    document = tomlkit.parse(statement)
    if "\n" not in statement.strip() or not _has(document.unwrap(), path):
        return 0
    holder: Any = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = _MARK  # what comes before it stays, byte for byte
    return tomlkit.dumps(document).partition(_MARK)[0].count("\n")
