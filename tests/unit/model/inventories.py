"""Repositories made up for plans: a manifest is known by a name, whose digest is its own."""

from __future__ import annotations

from dataclasses import replace

from devreg.model.deletion_plan import Plan
from devreg.model.graph import Holdings, Node
from devreg.model.inventory import Inventory
from devreg.model.wire import digest_of


def d(name: str) -> str:
    return digest_of(name.encode())


def belonging(name: str, suffix: str = ".sig") -> str:
    return d(name).replace(":", "-") + suffix


def node(name: str, *leads_to: str, **blobs: int) -> tuple[str, Node]:
    """A manifest of 1 byte, with blobs of so many."""
    return d(name), Node({d(name): 1, **blobs}, tuple(map(d, leads_to)))


def inventory(
    tags: dict[str, str], dates: dict[str, str | None] | None = None, *nodes: tuple[str, Node], **more: object
) -> Inventory:
    """`tags`: the manifest's name of each; `dates`: the day in 2024 of each manifest."""
    created = {d(name): f"2024-{day}T00:00:00Z" if day else None for name, day in (dates or {}).items()}
    known = dict(map(node, tags.values())) | dict(nodes)
    found = Inventory(Holdings("app", {tag: d(name) for tag, name in tags.items()}, known), created)
    return replace(found, **more)  # type: ignore[arg-type]


def going(plan: Plan) -> dict[str, str | None]:
    """The tags that go, and by what."""
    return {tag.name: tag.by for tag in plan.going}


def why(plan: Plan) -> dict[str, str]:
    return {tag.name: tag.why for tag in plan.tags}
