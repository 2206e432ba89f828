"""`devreg cache info`, `devreg cache clear`."""

from __future__ import annotations

import typer

from devreg.cli.options import Json
from devreg.output import console, document, tables
from devreg.output.units import size

group = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Show what devreg keeps of registries, or forget it."
)


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    app.add_typer(group, name="cache")


@group.command()
def info(as_json: Json = False) -> None:
    """Show what is kept, and where.

    Manifests, configs and names make listings and completion fast; what pushes have learned makes the next one send
    less. Nothing of it is a secret but the URLs of uploads, and nothing is needed: it is fetched anew.
    """
    from devreg.actions import cache as action

    found = action.info()
    if as_json:
        document.success("cache info", found)
        return
    person = console.is_terminal()  # to whom the folder is told once
    rows = [
        (each.what, f"{each.entries}", size(each.size) if person else f"{size(each.size)} in {each.file}")
        for each in found.kept
    ]
    tables.triples(("KEPT", "ENTRIES", "SIZE"), rows)
    if person or not rows:
        console.note(f"{'all of it' if rows else 'nothing'} is kept in {found.folder}")


@group.command()
def clear(as_json: Json = False) -> None:
    """Forget all of it."""
    from devreg.actions import cache as action

    cleared = action.clear()
    if as_json:
        document.success("cache clear", cleared, changed=cleared.entries > 0)
    else:
        console.result(f"forgot {cleared.entries} entries, {size(cleared.freed)}")
