"""What the registry has of an image already, found without reading the image: from earlier pushes, and from what the
recent tags of the repository say of their layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from devreg.direct.docker_image import layer_blob, raised
from devreg.direct.manifests import Raised
from devreg.direct.placer import Blob, Placer
from devreg.model import docker_manifest
from devreg.model.errors import DevregError
from devreg.model.imageconfig import diff_ids
from devreg.model.manifest import Descriptor, Manifest
from devreg.model.selection import natural
from devreg.registry.at_once import do_all, in_order

_RECENT = 6
_LISTED = 2000


def known_layers(placer: Placer, layers: Sequence[str], tags: Sequence[str]) -> dict[str, Descriptor]:
    """The layers (diffIDs) that need not be sent; those in other repositories of the registry are mounted.

    `tags`: those to look at first. Raises NotAuthorized and RegistryUnreachable.
    """
    return _known(placer, layers, tags, mount=True)


def known_here(placer: Placer, layers: Sequence[str], tags: Sequence[str]) -> dict[str, Descriptor]:
    """The layers (diffIDs) that are in this repository. As `known_layers`, but it only asks."""
    return _known(placer, layers, tags, mount=False)


def _known(placer: Placer, layers: Sequence[str], tags: Sequence[str], *, mount: bool) -> dict[str, Descriptor]:
    wanted = tuple(dict.fromkeys(layers))
    found = _existing(placer, wanted, mount)
    missing = [each for each in wanted if each not in found]
    if missing:
        learn(placer, tags)
        found |= _existing(placer, missing, mount)
    return found


def learn(placer: Placer, tags: Sequence[str]) -> None:
    """Note which blob is which layer, by the manifests and configs of `tags` and of the repository's latest tags.

    Those are the last by their names: 1.10 after 1.9.
    """
    try:
        listed = list(islice(placer.registry.tags(placer.repository), _LISTED))
    except DevregError:  # no such repository yet, or one that keeps its list to itself
        listed = []
    chosen = dict.fromkeys((*(tag for tag in tags if tag in listed), *sorted(listed, key=natural)[-_RECENT:][::-1]))
    do_all(lambda tag: _learn_one(placer, tag), tuple(chosen))


def learn_pushed(placer: Placer, image_id: str, layers: Sequence[str], digest: str) -> None:
    """Note what the engine has pushed: which manifest the image became, and which blob each of its layers.

    Raises NotAuthorized, RegistryUnreachable, NotFound.
    """
    manifest = placer.registry.manifest(placer.repository, digest)
    placer.cache.learn_manifest(placer.address, placer.repository, image_id, digest)
    if manifest.kind == "image" and len(manifest.layers) == len(layers):
        blobs = [*zip(layers, manifest.layers, strict=True), *((None, each) for each in (manifest.config,) if each)]
        placer.cache.learn(placer.address, placer.repository, blobs)


def whole(placer: Placer, image_id: str, layers: Sequence[str], known: dict[str, Descriptor]) -> Raised | None:
    """The manifest of an image all of whose blobs are there, its config too; None where something is missing.

    No byte of the image is needed for it.
    """
    if not all(each in known for each in layers):
        return None
    config = Descriptor(docker_manifest.CONFIG, image_id, 0)
    there = placer.existing(Blob(image_id, docker_manifest.CONFIG, 0, (config,)))
    if there is None or there.size == 0:
        return None
    return raised(there, [known[each] for each in layers])


def _existing(placer: Placer, layers: Sequence[str], mount: bool) -> dict[str, Descriptor]:
    blobs = [layer_blob(placer, each, 0) for each in layers]
    found = in_order(lambda blob: placer.existing(blob, mount=mount), blobs)
    return {blob.name: descriptor for blob, descriptor in zip(blobs, found, strict=True) if descriptor}


def _learn_one(placer: Placer, tag: str) -> None:
    registry, repository = placer.registry, placer.repository
    try:
        manifest = registry.manifest(repository, tag)
        if manifest.kind == "image" and manifest.config is not None:
            config = registry.blob_json(repository, manifest.config)
            _note(placer, manifest, config)
    except DevregError:  # gone meanwhile, or unreadable: then nothing is learned from it
        return


def _note(placer: Placer, manifest: Manifest, config: dict[str, object]) -> None:
    found = diff_ids(config)
    if len(found) != len(manifest.layers):
        return
    for diff_id, layer in zip(found, manifest.layers, strict=True):
        placer.told(diff_id, layer)
