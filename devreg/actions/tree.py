"""Which layers the tags of a repository share, and what each of them costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from devreg.actions.reach import open_contents
from devreg.model import schema1
from devreg.model.address import Address
from devreg.model.body import Body
from devreg.model.errors import DevregError, NotFound
from devreg.model.events import Counted, Listener
from devreg.model.graph import Holdings
from devreg.model.imageconfig import platform
from devreg.model.layer_tree import Cost, Forest, Grown, Layer, Wood, tree
from devreg.model.manifest import Manifest
from devreg.model.reference import Reference
from devreg.model.selection import matching
from devreg.model.wire import json_object
from devreg.registry.at_once import in_order
from devreg.remote.contents import Contents, parsed
from devreg.remote.graph import holdings
from devreg.remote.inventory import unfit
from devreg.remote.members import members


@dataclass(frozen=True)
class _Image:
    """What a tag stands for on one platform: the digest of the manifest, and its layers from the lowest on."""

    platform: str | None
    digest: str
    layers: tuple[Layer, ...]


def grow(name: str, *, default: Address, pattern: str | None, timeout: float, listen: Listener) -> Forest:
    """Of the tags that match the glob `pattern`; what they cost alone is told against all tags of the repository.

    Raises NotFound, NotAuthorized, RegistryUnreachable, UsageError.
    """
    instead = "name the repository, and its tag by --filter: devreg tree {name} --filter {tag}"
    reference = Reference.whole(name, instead=instead).within(default)
    listen(Counted(f"reading {reference.repository}", 0))
    with open_contents(reference.home, timeout=timeout) as contents:
        listed = list(contents.registry.tags(reference.repository))
        wrong = unfit(listed)
        held = holdings(contents, reference.repository, [tag for tag in listed if tag not in wrong], listen)
        unread = {**held.unread, **wrong}
        wanted = sorted(matching(held.digests, pattern))
        names: dict[str, list[str]] = defaultdict(list)
        for tag in wanted:
            names[held.digests[tag]].append(tag)
        return Forest(
            repository=reference.repository,
            stored=held.bytes_of(wanted),
            costs=tuple(_costs(held, wanted)),
            alone={digest: held.bytes_alone(held.tags_of(digest)) for digest in names},
            platforms=_woods(contents, held, names),
            unread={tag: unread[tag] for tag in matching(unread, pattern)},
            unlisted=held.unlisted,
        )


def _costs(held: Holdings, tags: Sequence[str]) -> Iterator[Cost]:
    for tag in tags:
        yield Cost(tag, held.digests[tag], held.bytes_of([tag]), held.bytes_alone([tag]))


def _woods(contents: Contents, held: Holdings, names: Mapping[str, Sequence[str]]) -> tuple[Wood, ...]:
    """A tree for each platform, in the order in which they turn up."""
    grown: dict[str | None, list[Grown]] = defaultdict(list)
    alone: dict[str | None, dict[str, int]] = defaultdict(dict)
    found = in_order(lambda digest: list(_images(contents, held, digest)), list(names))
    for (digest, tags), images in zip(names.items(), found, strict=True):
        for image in images:
            grown[image.platform].append(Grown(tuple(tags), image.layers))
            alone[image.platform][digest] = held.bytes_of_one(image.digest)
    return tuple(Wood(of, tree(its), alone[of]) for of, its in grown.items())


def _images(contents: Contents, held: Holdings, digest: str) -> Iterator[_Image]:
    """The images that a digest leads to. What has none, or is gone by now, is shown all the same, without layers."""
    try:
        body = contents.body(held.repository, digest)
    except NotFound:  # deleted meanwhile
        yield _Image(None, digest, ())
        return
    manifest = parsed(body)
    if manifest.kind == "schema1":
        yield _Image(None, digest, _old_layers(held, body))
        return
    if manifest.kind != "index":
        yield _Image(_platform(contents, held.repository, manifest), digest, _layers(manifest))
        return
    named = [(each.platform, each.manifest) for each in members(contents, held.repository, manifest) if each.manifest]
    there = [(platform, image) for platform, image in named if image.digest in held.nodes]
    for its, image in there:
        yield _Image(its, image.digest, _layers(image))
    if not there:
        yield _Image(None, digest, ())


def _platform(contents: Contents, repository: str, manifest: Manifest) -> str | None:
    try:
        return platform(contents.config(repository, manifest))
    except DevregError:
        return None


def _layers(manifest: Manifest) -> tuple[Layer, ...]:
    return tuple((layer.digest, layer.size) for layer in manifest.layers)


def _old_layers(held: Holdings, body: Body) -> tuple[Layer, ...]:
    """Schema 1 tells no sizes; they were asked for when the manifest was read."""
    sizes = held.blobs(body.digest)
    digests = schema1.layers(json_object(body.content, "the manifest"))
    return tuple((digest, sizes.get(digest, 0)) for digest in digests)
