"""Which layers the tags of a repository share, and what each of them costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress

from devreg.actions.reach import open_contents
from devreg.model.address import Address
from devreg.model.errors import DevregError, NotFound
from devreg.model.events import Listener
from devreg.model.graph import Holdings
from devreg.model.imageconfig import platform
from devreg.model.layer_tree import Cost, Forest, Grown, Wood, tree
from devreg.model.manifest import Manifest
from devreg.model.reference import Reference
from devreg.model.selection import matching
from devreg.remote.contents import Contents
from devreg.remote.graph import holdings


def grow(name: str, *, default: Address, pattern: str | None, timeout: float, listen: Listener) -> Forest:
    """Of the tags that match the glob `pattern`; what they cost alone is told against all tags of the repository.

    Raises NotFound, NotAuthorized, RegistryUnreachable, UsageError.
    """
    reference = Reference.parse(name).within(default)
    with open_contents(reference.home, timeout=timeout) as contents:
        held = holdings(contents, reference.repository, listen=listen)
        wanted = list(matching(held.digests, pattern))
        names: dict[str, list[str]] = defaultdict(list)
        for tag in wanted:
            names[held.digests[tag]].append(tag)
        return Forest(
            repository=reference.repository,
            stored=held.bytes_of(wanted),
            costs=tuple(_costs(held, wanted)),
            alone={digest: held.bytes_alone(_all_on(held, digest)) for digest in names},
            platforms=_woods(contents, reference.repository, names),
            unread=dict(held.unread),
        )


def _costs(held: Holdings, tags: Sequence[str]) -> Iterator[Cost]:
    for tag in tags:
        yield Cost(tag, held.digests[tag], held.bytes_of([tag]), held.bytes_alone([tag]))


def _all_on(held: Holdings, digest: str) -> list[str]:
    return [tag for tag, its in held.digests.items() if its == digest]


def _woods(contents: Contents, repository: str, names: dict[str, list[str]]) -> tuple[Wood, ...]:
    """A tree for each platform, in the order in which they turn up."""
    images: dict[str | None, list[Grown]] = defaultdict(list)
    for digest, tags in names.items():
        for of, image in _images(contents, repository, digest):
            images[of].append(Grown(tuple(tags), tuple((layer.digest, layer.size) for layer in image.layers)))
    return tuple(Wood(of, tree(grown)) for of, grown in images.items())


def _images(contents: Contents, repository: str, digest: str) -> Iterator[tuple[str | None, Manifest]]:
    """The images that a digest leads to, each with its platform. One that is missing has no layers."""
    manifest = contents.manifest(repository, digest)
    if manifest.kind != "index":
        with suppress(DevregError):
            yield platform(contents.config(repository, manifest)), manifest
        return
    for child in manifest.children:
        with suppress(NotFound):
            yield child.platform, contents.manifest(repository, child.digest)
