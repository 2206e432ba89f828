"""What is to be deleted from a repository, and what stays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from devreg.model.errors import DevregError
from devreg.model.graph import Node
from devreg.model.inventory import Inventory
from devreg.model.referrer_tag import subject
from devreg.model.since import moment

_NAMED = "it was named"
_EARLIEST = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Fate:
    """What becomes of a tag, and why. `by`: it goes with its `manifest`, or the `tag` alone; None where it stays."""

    name: str
    digest: str
    created: str | None
    goes: bool
    why: str
    by: Literal["manifest", "tag"] | None = None


@dataclass(frozen=True)
class Plan:
    """For one repository. `manifests`: the digests to delete, an index before what it leads to.

    `loose`: those of them that no tag leads to. `frees`: the bytes that garbage collection frees then, at most: other
    repositories may have the same content. `unread`: why tags could not be read; while there are any, no manifest goes.
    `unlisted`: why nobody knows what else refers to the manifests: it stays behind; empty where that is known.
    """

    repository: str
    tags: tuple[Fate, ...]
    manifests: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    frees: int = 0
    unread: Mapping[str, str] = field(default_factory=dict)
    unlisted: str = ""

    @property
    def going(self) -> tuple[Fate, ...]:
        """The tags that go."""
        return tuple(tag for tag in self.tags if tag.goes)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.going and not self.manifests


@dataclass(frozen=True)
class Outcome:
    """What was done of a plan. `frees` as in the plan. `failed`: the causes, by the tag's name or the digest.

    `along`: manifests that the registry has deleted along with their last tag, as zot does.
    """

    repository: str
    tags: tuple[str, ...] = ()
    manifests: tuple[str, ...] = ()
    along: tuple[str, ...] = ()
    frees: int = 0
    failed: Mapping[str, DevregError] = field(default_factory=dict)


def only_tags(repository: str, tags: Mapping[str, str]) -> Plan:
    """How to delete these tags, each of which stands for a digest, and nothing else."""
    fates = (Fate(tag, digest, None, goes=True, why=_NAMED, by="tag") for tag, digest in tags.items())
    return Plan(repository, tuple(fates))


def removal(inventory: Inventory, digests: Collection[str], tags: Collection[str] = ()) -> Plan:
    """How to delete manifests with every tag on them, and all that only they lead to; and `tags` as tags only."""
    others = [tag for tag, digest in inventory.digests.items() if digest not in digests]
    staying = {tag: "not named" for tag in others if not subject(tag)}
    staying |= kept_by_subject(inventory, staying, [tag for tag in others if subject(tag)], digests)
    named = {tag: _NAMED for tag, digest in inventory.digests.items() if digest in digests or tag in tags}
    going = {tag: why_with_subject(inventory, tag) for tag in others if tag not in staying} | named
    deleted = deletable(inventory, staying, digests) | set(digests)
    return planned(inventory, staying, going, deleted)


def kept_by_subject(
    inventory: Inventory,
    staying: Mapping[str, str],
    undecided: Iterable[str],
    roots: Collection[str] = (),
    lost: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """Of the `undecided` tags, which belong to another manifest, those that stay, and why.

    They go where that goes, or is in `lost`. `staying`: the tags that stay anyway; `roots`: manifests that go anyway.
    """
    digests, kept = inventory.digests, dict[str, str]()
    left = {tag: of for tag in undecided if (of := subject(tag))}
    while True:
        stay = {*staying, *kept}
        needed = inventory.needed(digests[tag] for tag in stay)
        going = inventory.led_to([*roots, *(digests[tag] for tag in digests if tag not in stay)])
        if inventory.holdings.unread:
            going = set()
        more = {
            tag: "its subject stays" if of in needed else "its subject has no tag"
            for tag, of in left.items()
            if tag not in kept and (of in needed or (of not in going and of not in lost))
        }
        if not more:
            return kept
        kept |= more


def why_with_subject(inventory: Inventory, tag: str) -> str:
    """Why a tag that belongs to another manifest goes; empty for other tags."""
    of = subject(tag)
    return "its subject is gone" if of in inventory.lost else "its subject goes" if of else ""


def deletable(inventory: Inventory, staying: Collection[str], roots: Iterable[str] = ()) -> set[str]:
    """The manifests that `roots` and the tags that do not stay lead to, and that no tag that stays needs."""
    digests = inventory.digests
    going = inventory.led_to([*roots, *(digests[tag] for tag in digests if tag not in staying)])
    return going & inventory.holdings.nodes.keys() - inventory.needed(digests[tag] for tag in staying)


def planned(
    inventory: Inventory, staying: Mapping[str, str], going: Mapping[str, str], deleted: Collection[str]
) -> Plan:
    """The plan. `staying`, `going`: the tags, and why; a tag that is in both goes, but what it stands for stays."""

    def fate(tag: str, digest: str) -> Fate:
        created = inventory.created.get(digest)
        if tag not in going:
            return Fate(tag, digest, created, goes=False, why=staying[tag])
        return Fate(tag, digest, created, goes=True, why=going[tag], by="manifest" if digest in deleted else "tag")

    holdings = inventory.holdings
    fates = [fate(tag, digest) for tag, digest in inventory.digests.items()]
    newest_first = sorted(fates, key=lambda each: moment(each.created) or _EARLIEST, reverse=True)
    tagged = inventory.led_to(inventory.digests.values())
    return Plan(
        holdings.repository,
        tuple(sorted(newest_first, key=lambda each: not each.goes)),
        _parents_first(holdings.nodes, deleted),
        tuple(digest for digest in inventory.loose if digest in deleted and digest not in tagged),
        freed(holdings.nodes, deleted),
        holdings.unread,
        holdings.unlisted if deleted else "",
    )


def freed(nodes: Mapping[str, Node], deleted: Collection[str]) -> int:
    """The bytes that are in the deleted ones of these manifests and in no other: each blob counts once."""
    kept = {blob for digest, node in nodes.items() if digest not in deleted for blob in node.content}
    gone = {blob: size for digest in deleted if digest in nodes for blob, size in nodes[digest].content.items()}
    return sum(size for blob, size in gone.items() if blob not in kept)


def _parents_first(nodes: Mapping[str, Node], digests: Collection[str]) -> tuple[str, ...]:
    """Registries such as zot keep a manifest as long as an index needs it."""
    parents: dict[str, set[str]] = {digest: set() for digest in sorted(digests)}
    for digest in parents:
        for each in nodes[digest].leads_to if digest in nodes else ():
            if each in parents:
                parents[each].add(digest)
    try:
        return tuple(TopologicalSorter(parents).static_order())
    except CycleError:  # a list of referrers may say anything
        return tuple(parents)
