"""`devreg prune`: the tags of a repository that no rule keeps, and what only they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from devreg.actions.deleting import check_seen, in_each
from devreg.actions.reach import open_contents
from devreg.host.names_cache import NamesCache
from devreg.model.address import Address
from devreg.model.deletion_plan import Outcome, Plan
from devreg.model.errors import UsageError
from devreg.model.events import Counted, Listener
from devreg.model.inventory import Inventory
from devreg.model.prune_plan import Rules, pruning
from devreg.model.reference import Reference
from devreg.remote.contents import Contents
from devreg.remote.deletion import carry_out, check_deletes
from devreg.remote.inventory import inventory


@dataclass(frozen=True)
class Wish:
    """What to delete from one repository."""

    registry: Address
    repository: str
    rules: Rules


def wishes(words: Sequence[str], rules: Rules, *, default: Address) -> tuple[Wish, ...]:
    """What the words mean, each repository once. Raises UsageError, also for rules by which nothing would ever go."""
    if not rules.ask_for_tags and not rules.untagged:
        raise UsageError(
            "nothing says what is to go", hint="give --keep N, --older-than TIME or --untagged; several go together"
        )
    found: dict[tuple[Address, str], Wish] = {}
    for word in words:
        reference = Reference.whole(word, instead=f"devreg rm {word} deletes that").within(default)
        where = reference.home, reference.repository
        found.setdefault(where, Wish(*where, rules))
    return tuple(found.values())


def plan(wish: Wish, *, timeout: float, listen: Listener, may_delete: bool) -> Plan:
    """What would be deleted. `may_delete`: find out first whether the registry does that.

    Raises NotAuthorized where it does not, and what listing the tags does.
    """
    listen(Counted(f"reading {wish.repository}", 0))
    with open_contents(wish.registry, timeout=timeout) as contents:
        if may_delete:
            check_deletes(contents.registry, wish.repository)
        return pruning(_inventory(contents, wish, listen), wish.rules)


def prune(work: Sequence[tuple[Wish, Plan]], *, timeout: float, listen: Listener) -> tuple[Outcome, ...]:
    """Delete what was shown, but for what must stay by now: tags may have been pushed meanwhile.

    Failures are in the results; of a single thing to delete, raises what hinders it.
    """
    return in_each([(wish.repository, partial(_prune, wish, shown, timeout, listen)) for wish, shown in work])


def _prune(wish: Wish, shown: Plan, timeout: float, listen: Listener) -> Outcome:
    with open_contents(wish.registry, timeout=timeout) as contents:
        found = _inventory(contents, wish, listen)
        now = pruning(found, wish.rules, shown)
        check_seen(now, shown)
        return carry_out(contents.registry, now, found.holdings, listen)


def _inventory(contents: Contents, wish: Wish, listen: Listener) -> Inventory:
    perhaps = _seen(wish) if wish.rules.untagged else ()
    return inventory(contents, wish.repository, listen, dates=wish.rules.ask_for_tags, perhaps=perhaps)


def _seen(wish: Wish) -> Sequence[str]:
    """The manifests that tags stood for when devreg last listed them. Registries list none without a tag."""
    with NamesCache() as cache:
        return [digest for digest in cache.tags(wish.registry, wish.repository).values() if digest]
