"""`devreg rm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli import unread
from devreg.cli.options import Json, Registry, Yes, agreed, default_registry, timeout
from devreg.model.errors import DevregError, PartlyDone
from devreg.output import console, document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devreg.cli.unread import Unread
    from devreg.model.deletion_plan import Outcome, Plan


def register(app: typer.Typer) -> None:
    """Add this file's command to the root command."""
    app.command()(rm)


def rm(
    references: Annotated[list[str], typer.Argument(metavar="REF", help="REPO:TAG, or REPO@DIGEST.")],
    digest: Annotated[
        bool, typer.Option("--digest", help="Delete what the tag stands for, with every other tag on it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be deleted.")] = False,
    yes: Yes = False,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Delete tags, or manifests with every tag on them.

    A tag goes alone: what it stands for stays, and so does every other tag. --digest, or a REPO@DIGEST, deletes the
    manifest, all tags on it (named first), and what only it leads to, such as an index's images and signatures.
    """
    from devreg.actions import rm as action
    from devreg.output import plan_view
    from devreg.output.progress import reporting

    default = default_registry(registry)
    wishes = action.wishes(references, default=default, by_digest=digest)
    with reporting() as listener:
        plans = [action.plan(each, timeout=timeout(), listen=listener, may_delete=not dry_run) for each in wishes]
    for wish, plan in zip(wishes, plans, strict=True):
        for line in plan_view.announced(str(wish.registry), plan):
            console.note(line)
    if dry_run:
        if as_json:
            document.success("rm", data(plans, []))
        return
    agreed("Go on?", yes)
    with reporting() as listener:
        done = action.remove(list(zip(wishes, plans, strict=True)), timeout=timeout(), listen=listener)
    end("rm", plans, done, [str(wish.registry) for wish in wishes], as_json)


def data(plans: Sequence[Plan], done: Sequence[Outcome]) -> dict[str, object]:
    """What `--json` tells of plans, and of what was done of them; the failures are in the document's errors."""
    return {
        "repositories": plans,
        "done": [
            {
                "repository": each.repository,
                "tags": each.tags,
                "manifests": each.manifests,
                "along": each.along,
                "frees": each.frees,
            }
            for each in done
        ],
    }


def end(
    command: str,
    plans: Sequence[Plan],
    done: Sequence[Outcome],
    registries: Sequence[str],
    as_json: bool,
    left: Unread = (),
) -> None:
    """Tell what was deleted. Raises PartlyDone where some could not be, and for tags that were `left` unread."""
    from devreg.output import plan_view

    failures: list[DevregError] = [
        PartlyDone(f"{name}: {error.message}", hint=error.hint) for each in done for name, error in each.failed.items()
    ]
    if as_json:
        changed = any(each.tags or each.manifests for each in done)
        errors = [*failures, *unread.errors(left)]
        document.success(command, data(plans, done), changed=changed, ok=not errors, errors=errors)
    else:
        plan_view.outcomes(done, registries)
        plan_view.afterwards(done)
        for each in failures[1:]:
            console.failure(each.message, each.hint)
    if failures:
        raise failures[0]
    unread.end(left)
