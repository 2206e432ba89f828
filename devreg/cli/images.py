"""`devreg tag`, `devreg pull`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli.options import Json, Registry, default_destination, timeout
from devreg.model.errors import PartlyDone
from devreg.model.reference import Reference
from devreg.output import console, document

if TYPE_CHECKING:
    from devreg.actions.pull import Pulls


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
    names: Annotated[
        list[str], typer.Argument(metavar="REF", help="Images in the registry. A tag may be a glob: 'app:1.*'.")
    ],
    newest: Annotated[
        bool, typer.Option("--newest", help="Only the newest tag: the highest version, else what was made last.")
    ] = False,
    pattern: Annotated[
        str | None,
        typer.Option("--filter", metavar="GLOB", help="With --newest: of the tags that match.", show_default=False),
    ] = None,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Pull images from the registry, and compare what came with what it has. Prints NAME@DIGEST of each."""
    from devreg.actions import pull as action
    from devreg.actions.reach import open_engine
    from devreg.output.progress import reporting

    default = default_destination(registry)
    wanted = [action.wanted(name, default, newest=newest, glob=pattern) for name in names]
    with reporting() as listener:
        done = action.pull_all(open_engine(), wanted, timeout=timeout(), listener=listener)
    _tell(done, as_json)


def _tell(done: Pulls, as_json: bool) -> None:
    """The result on stdout; raises, or exits with, what the failures mean."""
    errors = [error for _, error in done.failed]
    if not done.pulled and len(errors) == 1:
        raise errors[0]
    if as_json:
        alone = dataclasses.asdict(done.pulled[0]) if len(done.pulled) == 1 and not errors else {}
        changed = any(each.changed for each in done.pulled)
        document.success("pull", {**alone, "pulled": done.pulled}, ok=not errors, changed=changed, errors=errors)
    else:
        for pulled in done.pulled:
            console.result(f"{Reference.parse(pulled.reference).name}@{pulled.digest}")
        for error in errors:
            console.failure(error.message, error.hint)
    if errors and not done.pulled:
        raise typer.Exit(errors[0].exit_code)
    if errors:
        failed = ", ".join(name for name, _ in done.failed)
        raise PartlyDone(
            f"not all was pulled: {failed} failed; here are {', '.join(each.reference for each in done.pulled)}",
            hint="pull those again",
        )
