"""`devreg tag`, `devreg push`, `devreg pull`."""

from __future__ import annotations

from typing import Annotated

import typer

from devreg.cli.options import Json, Registry, settings, timeout
from devreg.model.errors import PartlyDone
from devreg.model.reference import Destination
from devreg.output import console, document

To = Annotated[
    str | None,
    typer.Option("--to", metavar="REGISTRY[/PREFIX]", help="Where to, whatever the name says.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    for command in (push, pull, tag):
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
    from devreg.actions import push as action
    from devreg.actions.reach import open_engine

    target = action.target(image if name is None else name, _default(registry))
    tagged = action.tag(open_engine(), image, target)
    if as_json:
        document.success("tag", {"image": image, "reference": tagged}, changed=True)
    else:
        console.result(tagged)


def push(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Local images.")],
    to: To = None,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Push local images to the registry. Prints NAME@DIGEST for each."""
    from devreg.actions import push as action
    from devreg.actions.reach import open_engine
    from devreg.output.progress import reporting

    with reporting() as listener:
        done = action.push(
            open_engine(),
            images,
            default=_default(registry),
            to=None if to is None else Destination.parse(to),
            timeout=timeout(),
            listener=listener,
        )
    errors = [error for _, error in done.failed]
    if len(images) == 1 and errors:
        raise errors[0]
    if as_json:
        document.success("push", {"pushed": done.pushed}, ok=not errors, changed=bool(done.pushed), errors=errors)
    else:
        for pushed in done.pushed:
            console.result(f"{pushed.reference.rpartition(':')[0]}@{pushed.digest}")
        for error in errors:
            console.failure(error.message, error.hint)
    if errors and not done.pushed:
        raise typer.Exit(errors[0].exit_code)
    if errors:
        raise PartlyDone(
            f"{len(errors)} of {len(images)} images were not pushed: {', '.join(image for image, _ in done.failed)}",
            hint="push those again; what is up already costs nothing",
        )


def pull(
    name: Annotated[str, typer.Argument(help="An image in the registry.")],
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Pull an image from the registry. Prints NAME@DIGEST."""
    from devreg.actions import push as action
    from devreg.actions.reach import open_engine
    from devreg.output.progress import reporting

    target = action.target(name, _default(registry))
    with reporting() as listener:
        done = action.pull(open_engine(), target, listener)
    if as_json:
        document.success("pull", done, changed=done.changed)
    else:
        console.result(f"{target.name}@{done.digest}")


def _default(flag: str | None) -> Destination:
    """Where names without a registry belong."""
    return Destination.parse(settings.get("registry", flag).value)
