"""What has to be known of a repository before anything in it is deleted, read from the registry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from devreg.model.errors import DevregError, NotFound
from devreg.model.events import Listener
from devreg.model.graph import Holdings, Node
from devreg.model.inventory import Inventory
from devreg.model.reference import is_tag
from devreg.model.referrer_tag import subject
from devreg.model.wire import is_digest, json_object
from devreg.registry.at_once import in_order
from devreg.registry.client import Registry
from devreg.remote.contents import Contents
from devreg.remote.facts import Reader
from devreg.remote.graph import holdings


def inventory(
    contents: Contents, repository: str, listen: Listener, *, dates: bool = False, perhaps: Iterable[str] = ()
) -> Inventory:
    """All tags of a repository with what they lead to. `dates`: also when each was made.

    `perhaps`: digests of manifests that may be there without a tag. Raises NotFound, NotAuthorized and
    RegistryUnreachable where the tags cannot be listed.
    """
    names = list(contents.registry.tags(repository))
    wrong = unfit(names)
    tags = [name for name in names if name not in wrong]
    without = list(dict.fromkeys(perhaps))
    held = holdings(contents, repository, [*tags, *without], listen)
    digests = {tag: held.digests[tag] for tag in tags if tag in held.digests}
    unread = wrong | {tag: why for tag, why in held.unread.items() if tag in tags and _is_there(contents, held, tag)}
    named = _subjects(contents, repository, held.nodes)
    nodes = _with_referrers(held.nodes, named) if held.unlisted else held.nodes
    found = Holdings(repository, digests, nodes, unread, held.unlisted)
    tagged = {each for digest in set(digests.values()) for each in found.manifests(digest)}
    return Inventory(
        found,
        _dates(contents, repository, set(digests.values())) if dates else {},
        _with_tags(named, digests),
        frozenset(_lost(contents, found)),
        tuple(digest for digest in without if digest in held.digests and digest not in tagged),
    )


def unfit(names: Iterable[str]) -> dict[str, str]:
    """Names in a list of tags that are none, and why they cannot be read: a registry is not asked for them."""
    return {name: "no registry takes such a name" for name in names if not is_tag(name)}


def is_there(registry: Registry, repository: str, digest: str) -> bool:
    """Whether a registry has a manifest."""
    try:
        registry.head_manifest(repository, digest)
    except NotFound:
        return False
    return True


def _is_there(contents: Contents, held: Holdings, tag: str) -> bool:
    """Whether a tag that could not be read stands for anything: it may have gone meanwhile, or its manifest has."""
    try:
        return is_there(contents.registry, held.repository, tag)
    except DevregError:
        return True


def _dates(contents: Contents, repository: str, digests: Iterable[str]) -> dict[str, str | None]:
    """When each manifest was made; None where that cannot be read."""
    reader, each = Reader(contents), list(digests)

    def date(digest: str) -> str | None:
        with suppress(DevregError):
            return reader.facts(repository, digest).created
        return None

    return dict(zip(each, in_order(date, each), strict=True))


def _subjects(contents: Contents, repository: str, digests: Iterable[str]) -> dict[str, str]:
    """What manifests refer to by their field `subject` (OCI image-spec)."""
    subjects: dict[str, str] = {}
    for digest in digests:
        with suppress(DevregError):
            told = json_object(contents.body(repository, digest).content, "the manifest").get("subject")
            of = told.get("digest") if isinstance(told, dict) else None
            if isinstance(of, str) and is_digest(of):
                subjects[digest] = of
    return subjects


def _with_tags(named: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """What manifests refer to by that field, or by their tag."""
    subjects: defaultdict[str, set[str]] = defaultdict(set)
    for digest, of in (*named.items(), *((digest, of) for tag, digest in tags.items() if (of := subject(tag)))):
        subjects[digest].add(of)
    return {digest: frozenset(of) for digest, of in subjects.items()}


def _with_referrers(nodes: Mapping[str, Node], named: Mapping[str, str]) -> dict[str, Node]:
    """Where nobody may see what refers to a manifest: what says so itself stays with it, as if it had been listed."""
    ways: defaultdict[str, list[str]] = defaultdict(list)
    for digest, of in named.items():
        ways[of].append(digest)
    return {each: replace(node, leads_to=(*node.leads_to, *ways[each])) for each, node in nodes.items()}


def _lost(contents: Contents, found: Holdings) -> Iterable[str]:
    """What tags refer to and is not there. What cannot be asked for counts as there."""
    for of in {of for tag in found.digests if (of := subject(tag)) and of not in found.nodes}:
        with suppress(DevregError):
            if not is_there(contents.registry, found.repository, of):
                yield of
