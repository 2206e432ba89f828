"""What is to be deleted, and what was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from devreg.output import console, tables
from devreg.output.columns import Column, Row
from devreg.output.units import age, counted, short_digest, short_tag, size

if TYPE_CHECKING:
    from devreg.model.deletion_plan import Fate, Outcome, Plan

_DEEDS = {"manifest": "delete", "tag": "untag", None: "keep"}
_SHOWN = 20


def plans(found: Sequence[Plan]) -> None:
    """What becomes of each tag, for people below a line that sums it up.

    In a pipe: the repository if there are several, tag, digest, time, what becomes of it, why. The tag of a manifest
    without one is `-`.
    """
    several = len(found) > 1
    if not console.is_terminal():
        tables.lines(
            [*([tables.word(plan.repository)] if several else []), *cells, why]
            for plan in found
            for *cells, why in _for_scripts(plan)
        )
        return
    for plan in found:
        console.result(_sentence(plan))
        rows = list(_for_people(plan))
        if rows:
            columns = [Column("TAG", "cyan", least=12), Column("DIGEST", "dim"), Column("CREATED"), Column("PLAN")]
            tables.table([*columns, Column("WHY", least=12)], rows)


def announced(registry: str, plan: Plan) -> Iterator[str]:
    """What a person should know before it is deleted, line by line."""
    yield f"{registry}/{plan.repository}: {_counted(len(plan.going), len(plan.manifests))} to delete"
    alone = [_short(tag.name) for tag in plan.going if tag.by == "tag"]
    tags: dict[str, list[str]] = {}
    for tag in plan.going:
        if tag.by == "manifest":
            tags.setdefault(tag.digest, []).append(_short(tag.name))
    lines = [f"  the tag {name} alone" for name in alone]
    lines += [
        f"  {short_digest(digest)} with its tag{'s' * (len(on) > 1)} {', '.join(on)}" for digest, on in tags.items()
    ]
    lines += [f"  {short_digest(digest)}, without a tag" for digest in plan.manifests if digest in plan.loose]
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"  and {len(lines) - _SHOWN} more such"
    if more := len([digest for digest in plan.manifests if digest not in tags and digest not in plan.loose]):
        yield f"  {counted(more, 'manifest')} that only these lead to"
    yield from blind_spots(plan)


def blind_spots(plan: Plan) -> Iterator[str]:
    """What nobody knows of a plan, line by line."""
    if plan.unlisted:
        yield f"{plan.repository}: signatures and the like that have no tag stay behind, for they cannot be listed:"
        yield f"  {console.inert(plan.unlisted)}"


def outcomes(done: Sequence[Outcome], registries: Sequence[str]) -> None:
    """What is gone: for people how much, in a pipe a name on each line, and what it was."""
    if console.is_terminal():
        for each in done:
            console.result(f"{each.repository}: {_counted(len(each.tags), len(each.manifests))} deleted")
            for digest in each.along:
                console.result(f"{each.repository}: the registry has deleted {digest} along with its last tag")
        return
    tables.lines(
        [name, what]
        for each, registry in zip(done, registries, strict=True)
        for name, what in [
            *((f"{registry}/{each.repository}:{tag}", "tag") for tag in each.tags),
            *((f"{registry}/{each.repository}@{digest}", "manifest") for digest in (*each.manifests, *each.along)),
        ]
    )


def afterwards(done: Sequence[Outcome]) -> None:
    """How the bytes are had back."""
    if any(each.manifests for each in done):
        frees = sum(each.frees for each in done)
        console.note(f"garbage collection on the server frees {size(frees)} at most:")
        console.note("  registry garbage-collect CONFIG, while nobody pushes (read-only, or stopped)")


def _sentence(plan: Plan) -> str:
    tags = f"{len(plan.going)} of {counted(len(plan.tags), 'tag')} to go"
    words = f"{plan.repository}: {tags}, {counted(len(plan.manifests), 'manifest')} to delete"
    return f"{words}; frees {size(plan.frees)} at most"


def _for_people(plan: Plan) -> Iterator[Row]:
    for tag in plan.tags:
        yield Row((_short(tag.name), short_digest(tag.digest), age(tag.created), _DEEDS[tag.by], tag.why))
    for digest in plan.loose:
        yield Row(("-", short_digest(digest), "-", "delete", "has no tag"))
    for name, why in plan.unread.items():
        yield Row((console.inert(name),), f"cannot be read, so no manifest is deleted: {console.inert(why)}")


def _for_scripts(plan: Plan) -> Iterator[tuple[str, ...]]:
    yield from map(_fate_for_scripts, plan.tags)
    for digest in plan.loose:
        yield ("-", digest, "-", "delete", "has no tag")
    for name, why in plan.unread.items():
        yield (tables.word(name), "-", "-", "error", console.inert(why))


def _fate_for_scripts(tag: Fate) -> tuple[str, ...]:
    return (tables.word(tag.name), tag.digest, tables.word(tag.created), _DEEDS[tag.by], tag.why)


def _short(tag: str) -> str:
    return short_tag(console.inert(tag))


def _counted(tags: int, manifests: int) -> str:
    return (
        " and ".join(counted(count, what) for count, what in ((tags, "tag"), (manifests, "manifest")) if count)
        or "nothing"
    )
