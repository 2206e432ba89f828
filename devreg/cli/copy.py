"""`devreg copy`, `devreg retag`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from devreg.cli.options import Json, Registry, default_destination, default_registry, timeout
from devreg.cli.unread import few
from devreg.model.errors import DevregError, PartlyDone
from devreg.model.reference import Reference, checked_tag
from devreg.model.results import Copied
from devreg.output import console, document

NoClobber = Annotated[bool, typer.Option("--no-clobber", help="Refuse to move a tag that stands for something else.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    app.command()(copy)
    app.command()(retag)


def copy(
    source: Annotated[str, typer.Argument(metavar="SRC", help="REPO[:TAG], REPO@DIGEST, or a glob: 'REPO:1.*'.")],
    target: Annotated[str, typer.Argument(metavar="DST", help="REPO[:TAG]; the source's tag if left out.")],
    platform: Annotated[
        str | None, typer.Option(metavar="OS/ARCH", help="Of several platforms, only this one.", show_default=False)
    ] = None,
    no_referrers: Annotated[
        bool, typer.Option("--no-referrers", help="Leave signatures, attestations and SBOMs behind.")
    ] = False,
    no_clobber: NoClobber = False,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Copy images within a registry, or to another, without pulling them.

    All platforms, byte for byte, with what refers to them. Within a registry nothing is sent: blobs are mounted.
    Prints NAME@DIGEST of each.
    """
    from devreg.actions import copy as action
    from devreg.output.progress import reporting

    default = default_registry(registry)
    wish = replace(
        action.wish(source, target, default), platform=platform, referrers=not no_referrers, no_clobber=no_clobber
    )
    with reporting() as listener:
        done = action.copy(wish, timeout=timeout(), listener=listener)
    errors = [error for _, error in done.failed]
    if errors and not done.copied:
        raise errors[0]
    _tell("copy", done.copied, errors, as_json)
    if errors:
        failed = few([name for name, _ in done.failed])
        raise PartlyDone(f"not all was copied: {failed}; {errors[0].message}", hint=errors[0].hint)


def retag(
    name: Annotated[str, typer.Argument(metavar="REF", help="REPO[:TAG], or REPO@DIGEST.")],
    tags: Annotated[list[str], typer.Argument(metavar="TAG", help="Tags that it gets besides.")],
    no_clobber: NoClobber = False,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Give an image in the registry more tags.

    Nothing is pulled or sent but the manifest. Prints NAME@DIGEST of each.
    """
    from devreg.actions import copy as action
    from devreg.actions.naming import target

    wanted = [checked_tag(tag) for tag in tags]
    done: list[Copied] = []
    try:
        reference = target(name, default_destination(registry))
        for tagged in action.retag(reference, wanted, no_clobber=no_clobber, timeout=timeout()):
            done.append(tagged)
    except DevregError as error:
        if not done:
            raise
        _tell("retag", done, [error], as_json)
        raise PartlyDone(
            f"only {', '.join(each.reference for each in done)}: {error.message}", hint=error.hint
        ) from error
    _tell("retag", done, [], as_json)


def _tell(command: str, done: Sequence[Copied], errors: list[DevregError], as_json: bool) -> None:
    if as_json:
        changed = any(each.changed for each in done)
        document.success(command, {"copied": done}, changed=changed, ok=not errors, errors=errors)
        return
    for each in done:
        console.result(f"{Reference.parse(each.reference).name}@{each.digest}")
        if each.referrers:
            console.note(f"with what refers to it: {each.referrers}")
        if not each.changed:
            console.note(f"{each.reference} was that before")
