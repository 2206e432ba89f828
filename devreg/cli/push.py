"""`devreg push`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli.options import Json, Registry, To, default_destination, destination, timeout
from devreg.model.errors import DevregError, PartlyDone
from devreg.output import console, document

if TYPE_CHECKING:
    from devreg.actions.push import Pushes


class Way(Enum):
    """The values of `push --via`."""

    auto = "auto"
    engine = "engine"
    direct = "direct"


def register(app: typer.Typer) -> None:
    """Add this file's command to the root command."""
    app.command()(push)


def push(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE|FILE", help="Local images; archives (./FILE, a folder, - for a pipe)."),
    ],
    to: To = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="What to call it there.", show_default=False)
    ] = None,
    tags: Annotated[
        list[str] | None,
        typer.Option(
            "--tag", "-t", metavar="TAG", help="A tag instead of its own; may be repeated.", show_default=False
        ),
    ] = None,
    via: Annotated[Way, typer.Option("--via", help="By the engine's push, or directly.")] = Way.auto,
    no_clobber: Annotated[bool, typer.Option("--no-clobber", help="Do not move a tag that is there.")] = False,
    digest_file: Annotated[
        Path | None, typer.Option("--digest-file", metavar="FILE", help="Write the digests there.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only warnings.")] = False,
    wait: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", help="How long to wait for an answer.", show_default=False),
    ] = None,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Push local images, or images in archives, to the registry. Prints NAME@DIGEST for each."""
    from devreg.actions import push as action
    from devreg.actions import push_outputs
    from devreg.actions.naming import Names
    from devreg.output.progress import reporting

    wanted = action.Wanted(
        images=tuple(images),
        names=Names(default_destination(registry), destination(to), name, tuple(tags or ())),
        via=via.value,
        no_clobber=no_clobber,
        timeout=timeout(wait),
        pipe=getattr(sys.stdin, "buffer", None),  # no stdin at all where it was closed
    )
    with reporting(quiet=quiet) as listener:
        done = action.push(wanted, listener=listener)
    _tell(done, push_outputs.write(done.pushed, digest_file), as_json)


def _tell(done: Pushes, unwritten: Sequence[DevregError], as_json: bool) -> None:
    """The result on stdout; raises, or exits with, what the failures mean. `unwritten`: why some output is missing."""
    errors = [*(error for _, error in done.failed), *unwritten]
    if not done.pushed and len(errors) == 1:
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
        failed = ", ".join(dict.fromkeys(image for image, _ in done.failed))
        what = f"not all was pushed: {failed} failed" if failed else "the digests are not where they should be"
        raise PartlyDone(
            f"{what}; up are {', '.join(pushed.reference for pushed in done.pushed)}",
            hint="push those again; what is up already costs nothing",
        )
