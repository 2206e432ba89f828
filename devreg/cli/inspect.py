"""`devreg inspect`."""

from __future__ import annotations

from typing import Annotated

import typer

from devreg.cli.options import Json, Registry, default_destination, timeout
from devreg.model.errors import DevregError, PartlyDone, UsageError
from devreg.output import document

_LOOK = "the layers are what the manifest tells, which --raw prints; if the image is yours, push it again"


def register(app: typer.Typer) -> None:
    """Add this file's command to the root command."""
    app.command()(inspect)


def inspect(
    name: Annotated[str, typer.Argument(metavar="REF", help="REPO[:TAG], or REPO@DIGEST.")],
    platform: Annotated[
        str | None, typer.Option(metavar="OS/ARCH", help="Of several platforms, this one.", show_default=False)
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the manifest; in a pipe byte for byte.")] = False,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Show what an image in the registry is made of.

    Its layers with the instruction that made each, what it runs, for which platforms there is one, and what refers to
    it. Of several platforms this machine's is shown, or the first, unless --platform names another. In a pipe: lines of
    a name and a value; of layers, platforms and the like name, digest, bytes, and the rest.
    """
    from devreg.actions import inspect as action
    from devreg.actions.naming import target
    from devreg.output import inspect_view

    if raw and as_json:
        raise UsageError("--raw and --json exclude each other", hint="--raw prints the manifest, which is JSON itself")
    reference = target(name, default_destination(registry))
    if raw:
        inspect_view.raw(action.raw(reference, reference.home, platform=platform, timeout=timeout()))
        return
    found = action.inspect(reference, reference.home, platform=platform, timeout=timeout())
    wrong = found.image.error if found.image else None
    errors: list[DevregError] = [PartlyDone(f"the config cannot be read: {wrong}", hint=_LOOK)] if wrong else []
    if as_json:
        document.success("inspect", found, ok=not errors, errors=errors)
    else:
        inspect_view.inspected(found)
        inspect_view.shown(found)
    if errors:
        raise errors[0]
