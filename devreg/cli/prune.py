"""`devreg prune`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli import unread
from devreg.cli.options import Json, Registry, Yes, agreed, default_registry, timeout
from devreg.cli.rm import data, end
from devreg.model.prune_plan import Rules
from devreg.model.since import since
from devreg.output import console, document

if TYPE_CHECKING:
    from devreg.actions.prune import Wish
    from devreg.model.deletion_plan import Plan


def register(app: typer.Typer) -> None:
    """Add this file's command to the root command."""
    app.command()(prune)


def prune(
    repositories: Annotated[
        list[str], typer.Argument(metavar="REPO", help="Repositories, with or without their registry.")
    ],
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="The newest N images stay, with all their tags.", show_default=False),
    ] = None,
    keep_tags: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Tags that match stay, as 'v*'; they do not count for --keep."),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="What was made since stays: 90d, 12w, 2024-05-31.", show_default=False),
    ] = None,
    untagged: Annotated[
        bool, typer.Option("--untagged", help="Manifests without a tag go, too, as far as they can be found.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without, the plan is only shown.")] = False,
    yes: Yes = False,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Delete the tags that nobody needs any more: shows a plan first.

    A tag goes only if no rule keeps it; one whose date nobody knows stays. What a tag that stays needs is never
    deleted: its manifest, an index's images, what it refers to and what refers to it. Registries do not list manifests
    without a tag: --untagged finds those whose tag `devreg tags` has seen, and signatures of images that are gone.
    While a tag cannot be read, tags go only, and no manifest; the exit code is 1 then.
    """
    from devreg.actions import prune as action
    from devreg.output import plan_view
    from devreg.output.progress import reporting

    before = since(older_than, datetime.now(timezone.utc)) if older_than else None
    rules = Rules(keep, tuple(keep_tags or ()), before, untagged)
    wishes = action.wishes(repositories, rules, default=default_registry(registry))
    with reporting() as listener:
        plans = [action.plan(each, timeout=timeout(), listen=listener, may_delete=apply) for each in wishes]
    missed = _unread(plans)
    if not apply:
        if as_json:
            document.success("prune", data(plans, []), ok=not missed, errors=unread.errors(missed))
        else:
            plan_view.plans(plans)
            for line in (line for plan in plans for line in plan_view.blind_spots(plan)):
                console.note(line)
            if not all(each.is_empty for each in plans):
                console.note("nothing was changed: --apply does it")
            elif not missed:
                console.note("nothing to do")
        unread.end(missed)
        return
    _apply(wishes, plans, yes, as_json)


def _apply(wishes: tuple[Wish, ...], plans: list[Plan], yes: bool, as_json: bool) -> None:
    from devreg.actions import prune as action
    from devreg.output import plan_view
    from devreg.output.progress import reporting

    left = [each for each in zip(wishes, plans, strict=True) if not each[1].is_empty]
    for wish, plan in left:
        for line in plan_view.announced(str(wish.registry), plan):
            console.note(line)
    if left:
        agreed("Go on?", yes)
    with reporting() as listener:
        done = action.prune(left, timeout=timeout(), listen=listener)
    if not left:
        console.note("nothing to do")
    end("prune", plans, done, [str(wish.registry) for wish, _ in left], as_json, _unread(plans))


def _unread(plans: list[Plan]) -> list[tuple[str, str]]:
    """The tags that could not be read, because of which no manifest goes, and why."""
    several = len(plans) > 1
    return [(f"{plan.repository}:{tag}" if several else tag, why) for plan in plans for tag, why in plan.unread.items()]
