"""`devreg tree`."""

from __future__ import annotations

from typing import Annotated

import typer

from devreg.cli import unread
from devreg.cli.options import Json, Registry, default_registry, timeout
from devreg.output import console, document


def register(app: typer.Typer) -> None:
    """Add this file's command to the root command."""
    app.command()(tree)


def tree(
    repository: Annotated[str, typer.Argument(metavar="REPO", help="A repository, with or without its registry.")],
    pattern: Annotated[
        str | None, typer.Option("--filter", metavar="GLOB", help="Only tags that match.", show_default=False)
    ] = None,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Show which layers the tags of a repository share, and what each alone costs.

    Alone is what no other tag needs, of all platforms, and so what deleting the tag would free. In a pipe a line each:
    tag, bytes of all that it leads to, bytes of what only it leads to, digest.
    """
    from devreg.actions import tree as action
    from devreg.output import tree_view
    from devreg.output.progress import reporting

    default = default_registry(registry)
    with reporting() as listener:
        found = action.grow(repository, default=default, pattern=pattern, timeout=timeout(), listen=listener)
    left = list(found.unread.items())
    if as_json:
        document.success("tree", found, ok=not left, errors=unread.errors(left))
    elif found.costs:
        tree_view.forest(found)
        if found.unlisted:
            console.note(f"what refers to the images, such as signatures, is not counted: {found.unlisted}")
    elif not left:
        console.note("no tags" if pattern is None else "no tags that match")
    unread.end(left)
