"""Which tags of a repository nobody needs any more, by rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from devreg.model.deletion_plan import Plan, deletable, kept_by_subject, planned, why_with_subject
from devreg.model.inventory import Inventory
from devreg.model.referrer_tag import subject
from devreg.model.since import moment


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


def pruning(inventory: Inventory, rules: Rules, shown: Plan | None = None) -> Plan:
    """What the rules make of a repository. `shown`: what somebody has agreed to; nothing beyond it goes."""
    digests = inventory.digests
    loose, lost = (inventory.loose, inventory.lost) if rules.untagged else ((), frozenset[str]())
    staying = _kept(inventory, rules)
    if shown:
        agreed = {tag.name: tag.digest for tag in shown.going}
        staying |= {tag: "changed after the plan was shown" for tag in digests if agreed.get(tag) != digests[tag]}
    undecided = [tag for tag in digests if tag not in staying and subject(tag)]
    staying |= kept_by_subject(inventory, staying, undecided, loose, lost)
    deleted = set() if inventory.holdings.unread else deletable(inventory, staying, loose)
    if shown:
        deleted &= set(shown.manifests)
    why = _why_it_goes(rules)
    going = {tag: why_with_subject(inventory, tag) or why for tag in digests if tag not in staying}
    return planned(inventory, staying, going, deleted)


def _kept(inventory: Inventory, rules: Rules) -> dict[str, str]:
    """The tags that a rule keeps, and why. Tags that belong to another manifest are kept by globs only."""
    digests = inventory.digests
    staying = {tag: f"matches {glob}" for tag in digests for glob in rules.keep_tags if fnmatchcase(tag, glob)}
    left = [tag for tag in digests if tag not in staying and not subject(tag)]
    if not rules.ask_for_tags:
        return staying | dict.fromkeys(left, "no rule asks for it to go")
    times = {digests[tag]: moment(inventory.created.get(digests[tag])) for tag in left}
    newest = sorted((time for time in times.values() if time), reverse=True)[: rules.keep or 0]
    for tag in left:
        time = times[digests[tag]]
        if time is None:
            staying[tag] = "nobody knows when it was made"
        elif newest and time >= newest[-1]:  # also those that were made at the same moment
            staying[tag] = _newest(rules.keep)
        elif rules.made_before and time >= rules.made_before:
            staying[tag] = f"since {rules.made_before:%Y-%m-%d}"
    return staying


def _why_it_goes(rules: Rules) -> str:
    reasons = [
        *([f"not {_newest(rules.keep)}"] if rules.keep else []),
        *([f"before {rules.made_before:%Y-%m-%d}"] if rules.made_before else []),
    ]
    return ", ".join(reasons)


def _newest(count: int | None) -> str:
    return "the newest" if count == 1 else f"one of the {count} newest"
