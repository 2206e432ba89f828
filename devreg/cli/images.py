"""`devreg tag`, `devreg pull`."""

from __future__ import annotations

from typing import Annotated

import typer

from devreg.cli.options import Json, Registry, default_destination
from devreg.output import console, document


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    for command in (pull, tag):
        app.command()(command)


def tag(
    image: Annotated[str, typer.Argument(help="A local image.")],
    name: Annotated[
        str | None, typer.Argument(help="What to call it; its own name if left out.", show_default=False)
    ] = None,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Give a local image its name in the registry."""
    from devreg.actions import naming as action
    from devreg.actions.reach import open_engine

    target = action.target(image if name is None else name, default_destination(registry))
    tagged = action.tag(open_engine(), image, target)
    if as_json:
        document.success("tag", {"image": image, "reference": tagged}, changed=True)
    else:
        console.result(tagged)


def pull(
    name: Annotated[str, typer.Argument(help="An image in the registry.")],
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Pull an image from the registry. Prints NAME@DIGEST."""
    from devreg.actions.naming import target as called
    from devreg.actions.pull import pull as carry_out
    from devreg.actions.reach import open_engine
    from devreg.output.progress import reporting

    target = called(name, default_destination(registry))
    with reporting() as listener:
        done = carry_out(open_engine(), target, listener)
    if as_json:
        document.success("pull", done, changed=done.changed)
    else:
        console.result(f"{target.name}@{done.digest}")
