"""Lists: a rich table on a terminal, one line of tab-separated values each in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from devreg.output import console
from devreg.output.units import age, short_digest, size

if TYPE_CHECKING:
    from devreg.model.results import Repository, Tag


def repositories(found: Iterable[Repository]) -> None:
    """The names of repositories."""
    _print(("REPOSITORY",), [(each.name,) for each in found], [(each.name,) for each in found])


def tags(found: Sequence[Tag]) -> None:
    """Tags: for people short digests, sizes with units and ages; in a pipe name, digest, bytes, time, platforms."""
    people = [
        (
            each.name,
            short_digest(each.digest),
            size(each.size),
            each.error or age(each.created),
            ", ".join(each.platforms),
        )
        for each in found
    ]
    scripts = [
        (
            each.name,
            each.digest or "",
            str(each.size if each.size is not None else ""),
            each.created or "",
            ",".join(each.platforms),
        )
        for each in found
    ]
    _print(("TAG", "DIGEST", "SIZE", "CREATED", "PLATFORMS"), people, scripts, right={2})


def pairs(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line, the same for people and pipes but for the alignment."""
    _print(None, rows, rows)


def triples(titles: tuple[str, str, str], rows: Sequence[tuple[str, str, str]]) -> None:
    """Three columns, with a header for people."""
    _print(titles, rows, rows)


def _print(
    titles: Sequence[str] | None,
    people: Sequence[Sequence[str]],
    scripts: Sequence[Sequence[str]],
    right: Iterable[int] = (),
) -> None:
    if not console.is_terminal():
        for row in scripts:
            console.result("\t".join(row))
        return
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD if titles else None, show_header=titles is not None, pad_edge=False, padding=(0, 1)
    )
    for index, title in enumerate(titles or [""] * len(people[0])):
        table.add_column(title, justify="right" if index in right else "left", overflow="fold")
    for row in people:
        table.add_row(*row)
    console.stdout().print(table)
