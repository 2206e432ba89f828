"""Cells in columns, as lines of text: as wide as they are for scripts, fitted to a screen for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations, zip_longest
from textwrap import wrap

_GAP = 2
_WIDEST = 300
"""Longer than any name may be. One that is longer yet does not pad all other lines."""

_ELASTIC = 4
"""Columns of which every order is tried."""

_LONGEST = 4000
"""Characters of a cell that are folded. To fold a word of 8 MB takes half a minute (measured)."""

Cell = str | tuple[str, ...]
"""A tuple is a list of names, of which as many are shown as there is room for."""

Piece = tuple[str, str]
"""Text, and how it looks, in rich's words."""


@dataclass(frozen=True)
class Column:
    """For people. `least`: with how many characters it can do; None where its cells are never cut nor folded."""

    title: str
    style: str = ""
    right: bool = False
    least: int | None = None


@dataclass(frozen=True)
class Row:
    """Cells, and what is `wrong` with them: told in place of the cells that are missing, or below."""

    cells: tuple[Cell, ...]
    wrong: str = ""


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line for each row, which may have fewer cells than others."""
    widths = _widths(rows)
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield (" " * _GAP).join(cells).rstrip()


def whole_width(columns: Sequence[Column], rows: Sequence[Row]) -> int:
    """How many characters a line needs to show everything."""
    widths = _wanted(columns, rows)
    return sum(widths) + _GAP * (len(widths) - 1)


def fitted(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Iterator[list[Piece]]:
    """Lines of at most `width` characters in pieces, the titles' first. Columns at the end for which there is no room
    are left out."""
    widths = _shared(columns, rows, width)
    titles = [
        each.title.rjust(by) if each.right else each.title.ljust(by) for each, by in zip(columns, widths, strict=False)
    ]
    yield [((" " * _GAP).join(titles), "bold")]
    yield [("─" * (sum(widths) + _GAP * (len(widths) - 1)), "dim")]
    for row in rows:
        yield from _lines(row, columns, widths, width)


def some_of(names: Sequence[str], room: int) -> str:
    """As many of the names as `room` characters hold, and how many more there are: `amd64, arm64, +10`."""
    for count in range(len(names), 0, -1):
        rest = [f"+{len(names) - count}"] if count < len(names) else []
        text = ", ".join([*names[:count], *rest])
        if len(text) <= room:
            return text
    more = f", +{len(names) - 1}" if len(names) > 1 else ""
    cut = room - len(more) - 1
    return "-" if not names else f"{names[0][:cut]}…{more}" if cut > 0 else f"+{len(names)}"


def _lines(row: Row, columns: Sequence[Column], widths: Sequence[int], width: int) -> Iterator[list[Piece]]:
    """A name that is too long for its column has a line of its own, and what follows starts on the next."""
    line: list[Piece] = []
    start = 0
    for cell, column, by in zip(row.cells, columns, widths, strict=False):
        text = cell if isinstance(cell, str) else some_of(cell, by)
        if len(text) > by:
            for part in _folded(text, width - start):
                yield [*line, (part, column.style)]
                line = [(" " * start, "")]
            line.append((" " * (by + _GAP), ""))
        else:
            line.append(((text.rjust(by) if column.right else text.ljust(by)) + " " * _GAP, column.style))
        start += by + _GAP
    if len(row.cells) >= len(columns) or not row.wrong:
        yield from [line] if any(text.strip() for text, _ in line) else []
        start, line = _GAP, [(" " * _GAP, "")]
    for part in _folded(row.wrong, width - start):
        yield [*line, (part, "red")]
        line = [(" " * start, "")]


def _folded(text: str, room: int) -> list[str]:
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return wrap(text, max(room, 1), break_on_hyphens=False)


def _shared(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[int]:
    """The widths of the columns: each what it can do with, and some more while there is something left.

    It is given to the columns in that order in which the fewest cells have to be folded, else to the first ones first.
    """
    wanted = _wanted(columns, rows)
    least = [
        min(want, max(column.least, len(column.title))) if column.least else want
        for want, column in zip(wanted, columns, strict=True)
    ]
    while len(least) > 1 and sum(least) + _GAP * (len(least) - 1) > width:
        least.pop()
    left = width - sum(least) - _GAP * (len(least) - 1)
    elastic = [at for at, width in enumerate(least) if width < wanted[at]]
    ways = (_widened(columns, rows, least, wanted, order, left) for order in permutations(elastic[:_ELASTIC]))
    return min(ways, key=lambda widths: _too_long(rows, widths))


def _widened(
    columns: Sequence[Column],
    rows: Sequence[Row],
    least: Sequence[int],
    wanted: Sequence[int],
    order: Sequence[int],
    left: int,
) -> list[int]:
    """The widths, where `left` characters are given to the columns in this order."""
    widths = list(least)
    for at in order:
        room = least[at] + max(left, 0)
        if wanted[at] <= room:
            widths[at] = wanted[at]
        else:
            cells = (cell for row in rows for cell in row.cells[at : at + 1])
            lengths = (len(cell if isinstance(cell, str) else some_of(cell, room)) for cell in cells)
            widths[at] = max(len(columns[at].title), *(length for length in lengths if length <= room), 0)
        left -= widths[at] - least[at]
    return widths


def _too_long(rows: Sequence[Row], widths: Sequence[int]) -> int:
    """How many texts do not fit."""
    return sum(
        isinstance(cell, str) and len(cell) > width
        for row in rows
        for cell, width in zip(row.cells, widths, strict=False)
    )


def _wanted(columns: Sequence[Column], rows: Sequence[Row]) -> list[int]:
    cells = [[cell if isinstance(cell, str) else ", ".join(cell) for cell in row.cells] for row in rows]
    return _widths([[column.title for column in columns], *cells])


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [min(max(map(len, column)), _WIDEST) for column in zip_longest(*rows, fillvalue="")]
