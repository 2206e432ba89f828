"""Lists: tables that fit the screen on a terminal, aligned lines without a header in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from devreg.output import console
from devreg.output.columns import Column, Row, aligned, fitted, whole_width
from devreg.output.console import inert
from devreg.output.units import age, short_digest, size

if TYPE_CHECKING:
    from devreg.model.listing import Repository, Tag

_AT_ONCE = 200
_KINDS = {"schema1": "schema 1", "artifact": "artifact", "index": "no platform"}


def names(found: Iterable[Repository]) -> None:
    """The names of repositories, each printed when it comes."""
    for number, each in enumerate(found):
        if number == 0 and console.is_terminal():
            console.stdout().print("REPOSITORY", style="bold")
        console.result(inert(each.name))


def repositories(found: Sequence[Repository]) -> None:
    """Repositories with their tags counted, their sizes, and when they were last pushed to, as far as that is known."""
    if not console.is_terminal():
        lines(
            [
                *(word(each.name), word(each.tags), word(each.size), word(each.updated)),
                *([inert(each.error)] if each.error else []),
            ]
            for each in found
        )
        return
    columns = [
        Column("REPOSITORY", "cyan", least=20),
        Column("TAGS", right=True),
        Column("SIZE", right=True),
        Column("UPDATED"),
    ]
    rows = [
        Row(
            (inert(each.name),)
            if each.tags is None
            else (inert(each.name), str(each.tags), size(each.size), age(each.updated)),
            inert(each.error or ""),
        )
        for each in found
    ]
    table(columns, rows)


def tags(found: Sequence[Tag], *, with_repository: bool = False) -> None:
    """Tags: for people short digests, sizes with units, ages, and only the columns that something is in.

    In a pipe name, digest, bytes, time, platforms, kind, number of referrers, other tags of the same digest; for one
    that could not be read the kind is `error`, and the reason stands at the end. `with_repository` puts that first.
    """
    if not console.is_terminal():
        lines([*([word(each.repository)] if with_repository else []), *_for_scripts(each)] for each in found)
        return
    columns = [
        *([Column("REPOSITORY", least=10)] if with_repository else []),
        Column("TAG", "cyan", least=8),
        Column("DIGEST", "dim"),
        Column("SIZE", right=True),
        Column("CREATED"),
        Column("PLATFORMS", least=12),
        *([Column("REFS", right=True)] if any(each.referrers for each in found) else []),
        *([Column("ALSO", "dim", least=7)] if any(each.also for each in found) else []),
    ]
    titles = {column.title for column in columns}
    rows = [_for_people(each, titles) for each in found]
    if whole_width(columns, rows) > console.stdout().width:
        rows = [_for_people(each, titles, prefix="linux/") for each in found]
    table(columns, rows)


def pairs(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line, the same for people and pipes but for the alignment."""
    _print(None, rows)


def triples(titles: tuple[str, str, str], rows: Sequence[tuple[str, str, str]]) -> None:
    """Three columns, with a header for people."""
    _print(titles, rows)


def _for_scripts(tag: Tag) -> list[str]:
    cells = [
        *(word(tag.name), word(tag.digest), word(tag.size), word(tag.created)),
        ",".join(map(word, tag.platforms)) or "-",
    ]
    if tag.error is not None:
        return [*cells, "error", inert(tag.error)]
    return [*cells, word(tag.kind), word(tag.referrers), ",".join(map(word, tag.also)) or "-"]


def _for_people(tag: Tag, titles: set[str], prefix: str = "") -> Row:
    """`prefix` goes without saying in the names of platforms. A row without a name is about its repository."""
    repository = [inert(tag.repository)] if "REPOSITORY" in titles else []
    if tag.error is not None:
        return Row((*repository, *([inert(tag.name)] if tag.name else [])), inert(tag.error))
    platforms = tuple(inert(each.removeprefix(prefix)) for each in tag.platforms)
    return Row(
        (
            *repository,
            inert(tag.name),
            short_digest(tag.digest),
            size(tag.size),
            age(tag.created),
            _KINDS["schema1"] if tag.kind == "schema1" else platforms or _KINDS.get(tag.kind or "", "-"),
            *(["" if tag.referrers is None else str(tag.referrers)] if "REFS" in titles else []),
            *([tuple(sorted(map(inert, tag.also), key=len)) or ""] if "ALSO" in titles else []),
        )
    )


def word(value: str | int | None) -> str:
    """A cell for scripts: never empty, and never two words."""
    return inert(str(value)).replace(" ", "\\x20") if value not in (None, "") else "-"


def lines(rows: Iterable[Sequence[str]]) -> None:
    """Cells in columns, without a header."""
    texts = aligned(list(rows))
    while some := list(islice(texts, _AT_ONCE)):
        console.result("\n".join(some))


def table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """A table that fits the screen, with a header."""
    from rich.text import Text

    screen = console.stdout()
    texts = (Text.assemble(*line) for line in fitted(columns, rows, screen.width))
    while some := list(islice(texts, _AT_ONCE)):
        for line in some:
            line.rstrip()
        screen.print(*some, sep="\n", soft_wrap=True)


def _print(titles: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> None:
    rows = [[inert(cell) for cell in row] for row in rows]
    if not console.is_terminal():
        for row in rows:
            console.result("\t".join(row))
        return
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD if titles else None, show_header=titles is not None, pad_edge=False, padding=(0, 1)
    )
    for title in titles or [""] * len(rows[0]):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.stdout().print(table)
