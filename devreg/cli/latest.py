"""`devreg latest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli import unread
from devreg.cli.options import Json, Registry, default_destination, timeout
from devreg.output import console, document, tables
from devreg.output.columns import aligned

if TYPE_CHECKING:
    from devreg.actions.latest import Latest


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    app.command()(latest)


def latest(
    name: Annotated[str, typer.Argument(metavar="REPO[:TAG]", help="A repository; the tag is `latest` if left out.")],
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Tell which versions a tag stands for, and which version is the newest.

    Pre-releases count only where there is nothing else. In a pipe one line: the tag, its digest, the newest version,
    other tags of the digest; `-` for what there is not.
    """
    from devreg.actions.latest import latest as ask
    from devreg.actions.naming import target
    from devreg.output.progress import reporting

    reference = target(name, default_destination(registry))
    with reporting() as listener:
        found = ask(reference, reference.home, timeout=timeout(), listen=listener)
    left = list(found.unread.items())
    if as_json:
        document.success("latest", found, ok=not left, errors=unread.errors(left))
    else:
        _show(found)
    unread.end(left)


def _show(found: Latest) -> None:
    if found.digest is None and found.tag not in found.unread:
        console.note(f"{found.repository} has no tag {found.tag}")
    if console.is_terminal():
        tables.pairs(_for_people(found))
        return
    newest = found.newest.name if found.newest else "-"
    for line in aligned([[found.tag, found.digest or "-", newest, ",".join(found.same) or "-"]]):
        console.result(line)


def _for_people(found: Latest) -> list[tuple[str, str]]:
    none = "it could not be read" if found.tag in found.unread else "none: there is no such tag"
    rows = [("tag", found.tag), ("digest", found.digest or none)]
    if found.digest:
        rows.append(("same", ", ".join(found.same) or "no other tag"))
    if found.newest is None:
        return [*rows, ("newest", "none: no tag is a version")]
    if found.up_to_date:
        return [*rows, ("newest", f"{found.newest.name}, of the same digest")]
    return [*rows, ("newest", found.newest.name), ("", found.newest.digest)]
