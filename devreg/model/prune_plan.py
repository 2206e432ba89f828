"""What is to be deleted from a repository, what stays, and why: decided from what the registry has told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from typing import Literal

from devreg.model.errors import DevregError
from devreg.model.graph import Holdings, Node
from devreg.model.referrer_tag import subject
from devreg.model.since import moment

_NAMED = "it was named"
_EARLIEST = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Rules:
    """A tag goes only if no rule keeps it. `keep`: so many of the newest images stay. `keep_tags`: globs of names.

    `made_before`: what was made later stays. `untagged`: manifests without a tag go, and tags that refer to nothing.
    """

    keep: int | None = None
    keep_tags: tuple[str, ...] = ()
    made_before: datetime | None = None
    untagged: bool = False

    @property
    def ask_for_tags(self) -> bool:
        """Whether tags of images are to go at all."""
        return self.keep is not None or self.made_before is not None


@dataclass(frozen=True)
class Inventory:
    """What is known of a repository. `created`: RFC 3339, by digest. `subjects`: what manifests refer to, by digest.

    `lost`: digests that tags refer to by their names and that are not in the repository. `loose`: manifests that no
    tag leads to.
    """

    holdings: Holdings
    created: Mapping[str, str | None] = field(default_factory=dict)
    subjects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    loose: tuple[str, ...] = ()


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


@dataclass(frozen=True)
class Plan:
    """For one repository. `manifests`: the digests to delete, an index before what it leads to.

    `loose`: those of them that no tag leads to. `frees`: the bytes that garbage collection frees then, at most: other
    repositories may have the same content. `unread`: why tags could not be read; while there are any, no manifest goes.
    """

    repository: str
    tags: tuple[Fate, ...]
    manifests: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    frees: int = 0
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def going(self) -> tuple[Fate, ...]:
        """The tags that go."""
        return tuple(tag for tag in self.tags if tag.goes)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.going and not self.manifests


def pruning(inventory: Inventory, rules: Rules, shown: Plan | None = None) -> Plan:
    """What the rules make of a repository. `shown`: what somebody has agreed to; nothing beyond it goes."""
    digests = inventory.holdings.digests
    loose = inventory.loose if rules.untagged else ()
    staying = _kept(inventory, rules)
    if shown:
        agreed = {tag.name: tag.digest for tag in shown.going}
        staying |= {tag: "changed after the plan was shown" for tag in digests if agreed.get(tag) != digests[tag]}
    staying |= _kept_by_subject(inventory, staying, loose, inventory.lost if rules.untagged else frozenset())
    going = [digests[tag] for tag in digests if tag not in staying]
    deleted = set() if inventory.holdings.unread else _deletable(inventory, staying, [*going, *loose])
    if shown:
        deleted &= set(shown.manifests)
    why = _why_it_goes(rules)
    reasons = {tag: _of_subject(inventory, tag) or why for tag in digests if tag not in staying}
    return _plan(inventory, deleted, staying | reasons, reasons)


def removal(inventory: Inventory, digests: Collection[str], tags: Collection[str] = ()) -> Plan:
    """How to delete manifests with every tag on them, and all that only they lead to; and `tags` as tags only."""
    standing = inventory.holdings.digests
    staying = {tag: "not named" for tag in standing if standing[tag] not in digests and not subject(tag)}
    staying |= _kept_by_subject(inventory, staying, digests, frozenset())
    staying = {tag: why for tag, why in staying.items() if standing[tag] not in digests}
    going = [standing[tag] for tag in standing if tag not in staying]
    deleted = _deletable(inventory, staying, [*digests, *going]) | set(digests)
    named = {tag: _NAMED for tag in standing if standing[tag] in digests or tag in tags}
    reasons = {tag: _of_subject(inventory, tag) for tag in standing if tag not in staying} | named
    return _plan(inventory, deleted, staying | reasons, reasons)


def only_tags(repository: str, tags: Mapping[str, str]) -> Plan:
    """How to delete these tags, each of which stands for a digest, and nothing else."""
    fates = (Fate(tag, digest, None, goes=True, why=_NAMED, by="tag") for tag, digest in tags.items())
    return Plan(repository, tuple(fates))


def freed(nodes: Mapping[str, Node], deleted: Collection[str]) -> int:
    """The bytes that are in the deleted ones of these manifests and in no other: each blob counts once."""
    kept = {blob for digest, node in nodes.items() if digest not in deleted for blob in node.content}
    gone = {blob: size for digest in deleted if digest in nodes for blob, size in nodes[digest].content.items()}
    return sum(size for blob, size in gone.items() if blob not in kept)


def _kept(inventory: Inventory, rules: Rules) -> dict[str, str]:
    """The tags that a rule keeps, and why. Tags that belong to another manifest are kept by globs only."""
    digests = inventory.holdings.digests
    staying = {tag: f"matches {glob}" for tag in digests for glob in rules.keep_tags if fnmatchcase(tag, glob)}
    open_ = [tag for tag in digests if tag not in staying and not subject(tag)]
    if not rules.ask_for_tags:
        return staying | dict.fromkeys(open_, "no rule asks for it to go")
    times = {digests[tag]: moment(inventory.created.get(digests[tag])) for tag in open_}
    known = sorted((time for time in times.values() if time), reverse=True)
    newest = known[: rules.keep or 0]
    for tag in open_:
        time = times[digests[tag]]
        if time is None:
            staying[tag] = "nobody knows when it was made"
        elif newest and time >= newest[-1]:  # also those that were made at the same moment
            staying[tag] = _newest(rules.keep)
        elif rules.made_before and time >= rules.made_before:
            staying[tag] = f"made after {rules.made_before:%Y-%m-%d}"
    return staying


def _kept_by_subject(
    inventory: Inventory, staying: Mapping[str, str], roots: Collection[str], lost: frozenset[str]
) -> dict[str, str]:
    """Tags that belong to another manifest: they stay unless that goes, or is in `lost`. `roots`: go without a tag."""
    digests = inventory.holdings.digests
    kept: dict[str, str] = {}
    left = {tag: of for tag in digests if tag not in staying and (of := subject(tag))}
    while True:
        needed = _needed(inventory, [digests[tag] for tag in (*staying, *kept)])
        going = _closure(inventory, [*roots, *(digests[tag] for tag in digests if tag not in {*staying, *kept})])
        more = {
            tag: "its subject stays" if of in needed else "its subject has no tag"
            for tag, of in left.items()
            if tag not in kept and (of in needed or (of not in going and of not in lost))
        }
        if not more:
            return kept
        kept |= more


def _deletable(inventory: Inventory, staying: Iterable[str], roots: Iterable[str]) -> set[str]:
    """The manifests that `roots` lead to and that no tag that stays needs."""
    digests = inventory.holdings.digests
    needed = _needed(inventory, [digests[tag] for tag in staying])
    return _closure(inventory, roots) & inventory.holdings.nodes.keys() - needed


def _needed(inventory: Inventory, digests: Iterable[str]) -> set[str]:
    """What these manifests lead to, and what they refer to with all that leads to."""
    return _closure(inventory, digests, with_subjects=True)


def _closure(inventory: Inventory, digests: Iterable[str], *, with_subjects: bool = False) -> set[str]:
    found, waiting = set(digests), list(digests)
    while waiting:
        digest = waiting.pop()
        node = inventory.holdings.nodes.get(digest)
        ways = [*(node.leads_to if node else ()), *(inventory.subjects.get(digest, ()) if with_subjects else ())]
        waiting += [each for each in ways if each not in found]
        found.update(ways)
    return found


def _plan(inventory: Inventory, deleted: set[str], why: Mapping[str, str], going: Collection[str]) -> Plan:
    """`why`: what there is to say of each tag."""
    holdings = inventory.holdings
    fates = [
        Fate(
            tag,
            digest,
            inventory.created.get(digest),
            goes=tag in going,
            why=why[tag],
            by=None if tag not in going else "manifest" if digest in deleted else "tag",
        )
        for tag, digest in holdings.digests.items()
    ]
    newest_first = sorted(fates, key=lambda each: moment(each.created) or _EARLIEST, reverse=True)
    tagged = _closure(inventory, holdings.digests.values())
    return Plan(
        holdings.repository,
        tuple(sorted(newest_first, key=lambda each: not each.goes)),
        _parents_first(holdings.nodes, deleted),
        tuple(digest for digest in inventory.loose if digest in deleted - tagged),
        freed(holdings.nodes, deleted),
        holdings.unread,
    )


def _why_it_goes(rules: Rules) -> str:
    reasons = [
        *([f"not {_newest(rules.keep)}"] if rules.keep else []),
        *([f"made before {rules.made_before:%Y-%m-%d}"] if rules.made_before else []),
    ]
    return ", ".join(reasons)


def _newest(count: int | None) -> str:
    return "the newest" if count == 1 else f"one of the {count} newest"


def _of_subject(inventory: Inventory, tag: str) -> str:
    """Why a tag that belongs to another manifest goes; empty for others."""
    of = subject(tag)
    return "its subject is gone" if of in inventory.lost else "its subject goes" if of else ""


def _parents_first(nodes: Mapping[str, Node], digests: Collection[str]) -> tuple[str, ...]:
    """Registries such as zot keep a manifest as long as an index needs it."""
    wanted = set(digests)
    parents: dict[str, set[str]] = {digest: set() for digest in sorted(wanted)}
    for digest in parents:
        for each in nodes[digest].leads_to if digest in nodes else ():
            if each in wanted:
                parents[each].add(digest)
    try:
        return tuple(TopologicalSorter(parents).static_order())
    except CycleError:  # a list of referrers may say anything
        return tuple(parents)
