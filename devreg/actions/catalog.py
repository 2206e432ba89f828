"""What is in a registry: repositories, and tags with what their manifests and configs say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import islice

from devreg.actions.reach import open_contents
from devreg.host.names_cache import NamesCache
from devreg.model.address import Address
from devreg.model.errors import DevregError, NotFound
from devreg.model.events import Counted, Listener
from devreg.model.listing import Repository, Tag
from devreg.model.reference import Reference, checked_repository, checked_tag
from devreg.model.selection import matching
from devreg.registry.at_once import in_order, portions
from devreg.remote.contents import Contents
from devreg.remote.facts import Facts, Reader
from devreg.remote.referring import counted

_REMEMBERED = 10_000
"""Names that completion is given of a registry or a repository."""

_TOGETHER = 32
"""Repositories whose tags are read in one go: enough to keep all connections busy, few enough to show them soon."""


def repositories(
    address: Address, *, timeout: float, pattern: str | None, details: bool, listen: Listener
) -> Iterator[Repository]:
    """The repositories whose names match the glob `pattern`, in the registry's order, while the pages of its list come.

    With `details`, also how many tags each has, the bytes that are stored for them, and when the newest was made.
    Raises NotAuthorized or NotFound where the registry keeps the list to itself.
    """
    if details:
        listen(Counted("reading repositories", 0))
    with open_contents(address, timeout=timeout) as contents:
        names = matching(_remembering(address, contents.registry.repositories()), pattern)
        yield from _detailed(contents, names, listen) if details else map(Repository, names)


def tags(
    names: Sequence[str], *, default: Address, timeout: float, pattern: str | None, listen: Listener
) -> tuple[Tag, ...]:
    """The tags that match the glob `pattern` of every repository, in the registry's order.

    A name may carry its registry. A tag that cannot be read, or went away meanwhile, is a row that says so in `error`;
    so is a repository among several, as a row without a name. Raises what the only, or the last, repository does where
    none can be read, and UsageError.
    """
    instead = "name the repository, and its tag by --filter: devreg tags {name} --filter {tag}"
    references = [Reference.whole(name, instead=instead).within(default) for name in names]
    rows: list[Tag] = []
    unread = 0
    with ExitStack() as stack:
        opened: dict[Address, Contents] = {}
        for reference in references:
            address = reference.home
            listen(Counted(f"reading {reference.repository}", 0))
            try:
                if address not in opened:
                    opened[address] = stack.enter_context(open_contents(address, timeout=timeout))
                rows += _tags(opened[address], address, reference.repository, pattern, listen)
            except DevregError as error:
                unread += 1
                if unread == len(references):
                    raise
                rows.append(Tag(reference.repository, "", error=f"{error.message}; {error.hint}"))
    return tuple(rows)


def _tags(contents: Contents, address: Address, repository: str, pattern: str | None, listen: Listener) -> list[Tag]:
    every = list(contents.registry.tags(repository))
    asked = list(matching(every, pattern))
    reader = Reader(contents)
    with NamesCache() as cache:
        known = cache.tags(address, repository)
        rows: list[Tag] = []
        for some in in_order(lambda tags: _rows(reader, repository, tags, known), portions(asked)):
            rows += some
            listen(Counted(f"reading {repository}", len(rows), len(asked)))
        now = {row.name: row.digest for row in rows}
        cache.learn_tags(address, repository, {tag: now.get(tag, known.get(tag)) for tag in every[:_REMEMBERED]})
    digests = {row.digest for row in rows if row.digest}
    return _related(rows, counted(contents, repository, digests, {tag: now.get(tag) for tag in every}))


def _rows(reader: Reader, repository: str, tags: Sequence[str], known: Mapping[str, str | None]) -> list[Tag]:
    """`known`: the digests that the tags stood for when they were last seen."""
    reader.recall(repository, filter(None, map(known.get, tags)))
    return [_row(reader, repository, tag, known.get(tag)) for tag in tags]


def _row(reader: Reader, repository: str, tag: str, last: str | None) -> Tag:
    try:
        facts = reader.facts(repository, checked_tag(tag), last)
    except NotFound:
        return Tag(repository, tag, error="no longer there")
    except DevregError as error:
        return Tag(repository, tag, error=error.message)
    return Tag(
        repository=repository,
        name=tag,
        digest=facts.digest or None,  # signed schema 1 that came without one
        size=facts.size,
        created=facts.created,
        platforms=facts.platforms,
        media_type=facts.media_type,
        kind=facts.kind,
    )


def _related(rows: Sequence[Tag], referrers: Counter[str]) -> list[Tag]:
    """The rows, each with the other tags of its digest and the number of its referrers."""
    names: dict[str | None, list[str]] = defaultdict(list)
    for row in rows:
        names[row.digest].append(row.name)
    return [
        row
        if row.digest is None
        else replace(
            row,
            also=tuple(name for name in names[row.digest] if name != row.name),
            referrers=referrers[row.digest],
        )
        for row in rows
    ]


def _detailed(contents: Contents, names: Iterator[str], listen: Listener) -> Iterator[Repository]:
    done = 0
    while some := list(islice(names, _TOGETHER)):
        lists = list(in_order(lambda name: _listed(contents, name), some))
        asked = [(name, tag) for name, (tags, _) in zip(some, lists, strict=True) for tag in tags]
        rows = in_order(partial(_found, Reader(contents)), asked)
        for name, (tags, error) in zip(some, lists, strict=True):
            yield _summed(name, list(islice(rows, len(tags))), error)
            done += 1
            listen(Counted("reading repositories", done))


def _listed(contents: Contents, repository: str) -> tuple[Sequence[str], str | None]:
    """The tags of a repository, or why they cannot be listed."""
    try:
        return list(contents.registry.tags(checked_repository(repository))), None
    except NotFound:  # registries list repositories whose last tag was deleted
        return (), None
    except DevregError as error:
        return (), error.message


def _found(reader: Reader, asked: tuple[str, str]) -> Facts | str:
    """What there is to tell of a repository's tag, or why there is nothing."""
    repository, tag = asked
    try:
        return reader.facts(repository, checked_tag(tag))
    except DevregError as error:
        return error.message


def _summed(name: str, found: Sequence[Facts | str], error: str | None) -> Repository:
    if error is not None:
        return Repository(name, error=error)
    facts = [each for each in found if isinstance(each, Facts)]
    unread = [each for each in found if isinstance(each, str)]
    stored = {digest: size for each in facts for digest, size in each.blobs.items()}
    return Repository(
        name,
        tags=len(found),
        size=sum(stored.values()),
        updated=max((each.created for each in facts if each.created), default=None),
        error=f"{len(unread)} of {len(found)} tags cannot be read: {unread[0]}" if unread else None,
    )


def _remembering(address: Address, names: Iterable[str]) -> Iterator[str]:
    """The same names. Once they were all wanted, completion knows the first of them."""
    first: list[str] = []
    for name in names:
        if len(first) < _REMEMBERED:
            first.append(name)
        yield name
    with NamesCache() as cache:
        cache.learn_repositories(address, first)
