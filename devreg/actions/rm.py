"""`devreg rm`: tags, or manifests with every tag on them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from devreg.actions.deleting import check_seen, in_each
from devreg.actions.reach import open_contents
from devreg.model.address import Address
from devreg.model.deletion_plan import Outcome, Plan, only_tags, removal
from devreg.model.errors import DevregError, NotFound, RefusedOverwrite, UsageError
from devreg.model.events import Counted, Listener
from devreg.model.graph import Holdings
from devreg.model.inventory import Inventory
from devreg.model.reference import Reference, is_tag
from devreg.model.wire import same_digest
from devreg.remote.contents import Contents
from devreg.remote.deletion import carry_out, check_deletes
from devreg.remote.inventory import inventory


@dataclass(frozen=True)
class Wish:
    """What to delete from one repository: what the references name, or, `by_digest`, what their tags stand for."""

    registry: Address
    repository: str
    references: tuple[Reference, ...]
    by_digest: bool


def wishes(words: Sequence[str], *, default: Address, by_digest: bool) -> tuple[Wish, ...]:
    """What the words mean, one wish for each repository. Raises UsageError."""
    found: dict[tuple[Address, str], list[Reference]] = {}
    for reference in (Reference.parse(word).within(default) for word in words):
        if reference.tag is None and reference.digest is None:
            raise UsageError(
                f"{reference} has no tag: what is to be deleted?",
                hint=f"write {reference}:TAG or {reference}@DIGEST; `devreg tags {reference}` tells what there is",
            )
        found.setdefault((reference.home, reference.repository), []).append(reference)
    return tuple(Wish(*where, tuple(references), by_digest) for where, references in found.items())


def plan(wish: Wish, *, timeout: float, listen: Listener, may_delete: bool = True) -> Plan:
    """What would be deleted. `may_delete`: find out first whether the registry does that.

    Raises NotAuthorized where it does not; NotFound for a tag or manifest that there is not; RefusedOverwrite where an
    index needs what is to go.
    """
    listen(Counted(f"reading {wish.repository}", 0))
    with open_contents(wish.registry, timeout=timeout) as contents:
        if may_delete:
            check_deletes(contents.registry, wish.repository)
        return _planned(contents, wish, listen)[0]


def remove(work: Sequence[tuple[Wish, Plan]], *, timeout: float, listen: Listener) -> tuple[Outcome, ...]:
    """Delete what was shown, one repository after the other. Failures are in the results.

    Of a single thing to delete, raises what hinders it: RefusedOverwrite where something was pushed meanwhile.
    """
    return in_each([(wish.repository, partial(_remove, wish, shown, timeout, listen)) for wish, shown in work])


def _remove(wish: Wish, shown: Plan, timeout: float, listen: Listener) -> Outcome:
    with open_contents(wish.registry, timeout=timeout) as contents:
        now, holdings = _planned(contents, wish, listen)
        if set(now.going) != set(shown.going) or set(now.manifests) != set(shown.manifests):
            raise RefusedOverwrite(
                f"{wish.repository} has changed since: somebody has pushed or deleted; nothing was changed",
                hint="run the command again, and look at what it names",
            )
        check_seen(now, shown)
        return carry_out(contents.registry, now, holdings, listen)


def _planned(contents: Contents, wish: Wish, listen: Listener) -> tuple[Plan, Holdings]:
    tags: dict[str, str] = {}
    digests: list[str] = []
    for reference in wish.references:
        standing = _standing(contents, reference)
        if reference.digest and not _is(contents, wish.repository, standing, reference.digest):
            raise RefusedOverwrite(
                f"{reference.repository}:{reference.tag} stands for {standing}", hint="leave the tag or the digest out"
            )
        if reference.tag and not wish.by_digest:
            tags[reference.tag] = standing
        else:
            digests.append(standing)
    if not digests:
        return only_tags(wish.repository, tags), Holdings(wish.repository, tags, {})
    found = inventory(contents, wish.repository, listen, perhaps=digests)
    planned = removal(found, digests, tags)
    _check(contents, found, planned, digests)
    return planned, found.holdings


def _standing(contents: Contents, reference: Reference) -> str:
    """The digest of what is named. Raises NotFound, which for a tag of a lost manifest says how to be rid of it."""
    try:
        return contents.head(reference.repository, reference.tag or reference.version).digest
    except NotFound as error:
        tag, name = reference.tag, reference.name
        if tag is None or tag not in _listed(contents, reference.repository):
            raise
        raise NotFound(
            f"{name}:{tag} is listed, and the manifest that it stands for is lost",
            hint="let it stand for another image, then delete it: "
            f"devreg retag {name}:OTHER {tag}; devreg rm {name}:{tag}",
        ) from error


def _listed(contents: Contents, repository: str) -> list[str]:
    with suppress(DevregError):
        return list(contents.registry.tags(repository))
    return []


def _is(contents: Contents, repository: str, standing: str, digest: str) -> bool:
    """Whether a manifest has that digest, too: there are two kinds."""
    return standing == digest or same_digest(contents.body(repository, standing).content, digest)


def _check(contents: Contents, found: Inventory, planned: Plan, digests: Sequence[str]) -> None:
    """Raise RefusedOverwrite where an index needs one of the digests, or may do so."""
    held = found.holdings
    for tag, why in held.unread.items():
        first = f"delete that tag first: devreg rm {held.repository}:{tag}; or " if is_tag(tag) else ""
        raise RefusedOverwrite(
            f"{held.repository}:{tag} cannot be read, so nobody knows whether it needs what is to go: {why}",
            hint=f"{first}delete tags only, without --digest",
        )
    for digest in digests:
        for index in [each for each, node in held.nodes.items() if digest in node.leads_to]:
            manifest = contents.manifest(held.repository, index)
            needed = {each.digest for each in (*manifest.children, *manifest.attestations)}
            if digest in needed and index not in planned.manifests:
                tags = [f"{held.repository}:{tag}" for tag, of in held.digests.items() if index in held.manifests(of)]
                raise RefusedOverwrite(
                    f"{held.repository}@{digest} is needed by the index {index} ({', '.join(tags) or 'without a tag'})",
                    hint=f"name the index, too: {held.repository}@{index}",
                )
