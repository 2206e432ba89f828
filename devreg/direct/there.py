"""An image that a repository has already: whole, so that its manifest needs a name at most."""

from __future__ import annotations

from devreg.direct.manifests import Raised, clobbered, present
from devreg.direct.placer import Placer
from devreg.model.errors import DevregError, NotFound, RegistryUnreachable
from devreg.model.manifest import Descriptor, parse_manifest
from devreg.model.wire import json_object
from devreg.registry.at_once import in_order

_DEEPEST = 4


def there(placer: Placer, tags: tuple[str, ...], image_id: str) -> Raised | None:
    """The manifest of an image in this repository: under one of `tags`, or by the digest that an earlier push had.

    `image_id`: the digest of its config, or of itself. None where it is not there, or lacks a blob.
    """
    kept = placer.cache.manifest(placer.address, placer.repository, image_id)
    for reference in dict.fromkeys((*tags, *((kept,) if kept else ()))):
        found = _of(placer, reference, image_id)
        if found is not None and _is_whole(placer, found, 0):
            return found
    return None


def refuse_clobber(placer: Placer, tags: tuple[str, ...], image_id: str) -> None:
    """Raise RefusedOverwrite where one of `tags` stands for another image than `image_id`."""
    for tag in tags:
        now = present(placer, tag)
        if now is not None and _of(placer, tag, image_id) is None:
            raise clobbered(placer, tag, now, f"the image {image_id}")


def _of(placer: Placer, reference: str, image_id: str) -> Raised | None:
    try:
        body, media_type, digest = placer.registry.manifest_body(placer.repository, reference)
    except NotFound:
        return None
    try:
        manifest = parse_manifest(body, media_type=media_type, digest=digest)
    except RegistryUnreachable:  # something that devreg does not know has this name
        return None
    config = manifest.config.digest if manifest.config else None
    if image_id not in (digest, config):
        return None
    return Raised(Descriptor(manifest.media_type, digest, len(body)), body)


def _is_whole(placer: Placer, found: Raised, depth: int) -> bool:
    """Whether all that a manifest refers to is there: a registry may have lost something, or thrown it away."""
    its = found.descriptor
    manifest = parse_manifest(found.body, media_type=its.media_type, digest=its.digest)
    blobs = [*manifest.layers, *((manifest.config,) if manifest.config else ())]
    if None in in_order(lambda blob: placer.registry.has_blob(placer.repository, blob.digest), blobs):
        return False
    return depth < _DEEPEST and all(_has_child(placer, child, depth + 1) for child in _children(found.body))


def _children(body: bytes) -> list[str]:
    """The digests of all manifests that an index names. Attestations too: registries ask for them as for the others."""
    entries = json_object(body, "the manifest").get("manifests")
    return [str(each.get("digest")) for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def _has_child(placer: Placer, child: str, depth: int) -> bool:
    try:
        body, media_type, digest = placer.registry.manifest_body(placer.repository, child)
        return _is_whole(placer, Raised(Descriptor(media_type, digest, len(body)), body), depth)
    except DevregError:  # not there, or nothing that is known here
        return False
