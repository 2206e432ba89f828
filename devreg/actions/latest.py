"""Which versions a tag stands for, and which version is the newest: found by asking for the digest of every tag."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from devreg.actions.reach import open_registry
from devreg.actions.versions import newest, version_key
from devreg.model.address import Address
from devreg.model.errors import DevregError, NotFound, UsageError
from devreg.model.events import Counted, Listener
from devreg.model.listing import Tag
from devreg.model.reference import Reference, checked_tag
from devreg.model.selection import select
from devreg.registry.at_once import in_order
from devreg.registry.client import Registry


@dataclass(frozen=True)
class Newest:
    """The tag of the highest version."""

    name: str
    digest: str


@dataclass(frozen=True)
class Latest:
    """What a tag stands for. `digest`: None where there is no such tag, or it is in `unread`. `same`: the other tags
    of that digest, the highest version first. `newest`: None where no tag is a version.

    `up_to_date`: whether the tag is the newest version; None where one of them is missing. `unread`: tags that could
    not be asked for, and why.
    """

    repository: str
    tag: str
    digest: str | None
    same: tuple[str, ...]
    newest: Newest | None
    up_to_date: bool | None
    unread: dict[str, str] = field(default_factory=dict)


def latest(name: Reference, registry: Address, *, timeout: float, listen: Listener) -> Latest:
    """What the tag of `name` stands for in `registry`; `latest` where it has none.

    Raises UsageError for a digest; NotFound, NotAuthorized and RegistryUnreachable where the tags cannot be listed;
    what kept it from reading them where nothing was found, and NotFound where there is neither such a tag nor a
    version.
    """
    if name.digest:
        raise UsageError(f"{name} names a digest, not a tag", hint=f"ask for a tag: devreg latest {name.name}:TAG")
    tag = name.tag or "latest"
    listen(Counted(f"reading {name.repository}", 0))
    with open_registry(registry, timeout=timeout) as opened:
        digests, unread = _digests(opened, name.repository, tag, listen)
    digest, version = digests.get(tag), newest(digests)
    if digest is None and version is None:
        # A name in the list that is none says nothing of what there is.
        hindered = [error for error in unread.values() if not isinstance(error, UsageError)]
        if hindered:
            raise unread.get(tag, hindered[0])
        raise NotFound(
            f"{name.name} has no tag {tag}, and none that is a version",
            hint=f"what there is, tells devreg tags {name.name}",
        )
    return Latest(
        repository=name.repository,
        tag=tag,
        digest=digest,
        same=_by_version(other for other, its in digests.items() if its == digest and other != tag),
        newest=None if version is None else Newest(version, digests[version]),
        up_to_date=None if digest is None or version is None else digest == digests[version],
        unread={each: error.message for each, error in unread.items()},
    )


def _digests(
    registry: Registry, repository: str, tag: str, listen: Listener
) -> tuple[dict[str, str], dict[str, DevregError]]:
    """The digest of every tag, and why those have none that could not be asked for. One that is gone is in neither.

    `tag` is asked for also where the list lacks it: some registries' lists lag behind.
    """
    names = list(dict.fromkeys((*registry.tags(repository), tag)))

    def ask(name: str) -> str | DevregError:
        try:
            return registry.head_manifest(repository, checked_tag(name)).digest
        except DevregError as error:
            return error

    digests: dict[str, str] = {}
    unread: dict[str, DevregError] = {}
    for done, (name, found) in enumerate(zip(names, in_order(ask, names), strict=True)):
        listen(Counted(f"reading {repository}", done + 1, len(names)))
        if isinstance(found, str):
            digests[name] = found
        elif not isinstance(found, NotFound):
            unread[name] = found
    return digests, unread


def _by_version(names: Iterable[str]) -> tuple[str, ...]:
    rows = select((Tag("", name) for name in names), sort="semver", version_key=version_key)
    return tuple(row.name for row in rows)
