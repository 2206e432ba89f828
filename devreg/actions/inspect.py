"""What a reference in a registry stands for, without pulling it."""

from __future__ import annotations

from devreg.actions.reach import open_contents
from devreg.model import inspection, platforms
from devreg.model.address import Address
from devreg.model.errors import DevregError, NotFound
from devreg.model.inspection import Entry, Image, Inspected
from devreg.model.manifest import Manifest
from devreg.model.reference import Reference
from devreg.model.wire import json_object
from devreg.remote.contents import Contents, parsed


def inspect(reference: Reference, registry: Address, *, platform: str | None, timeout: float) -> Inspected:
    """All that its manifest and its config tell. `platform`: `OS/ARCHITECTURE[/VARIANT]`, for an image of several.

    Raises NotFound, also for a platform that is not there, NotAuthorized, RegistryUnreachable.
    """
    repository = reference.repository
    with open_contents(registry, timeout=timeout) as contents:
        body = contents.there(repository, reference.version)
        manifest = parsed(body)
        return Inspected(
            reference=str(reference),
            digest=body.digest,
            media_type=manifest.media_type,
            kind=manifest.kind,
            manifest_size=len(body.content),
            image=_image(contents, repository, manifest, platform),
            platforms=tuple(map(inspection.entry, manifest.children)),
            attestations=tuple(map(inspection.entry, manifest.attestations)),
            referrers=_referrers(contents, repository, body.digest),
            annotations=inspection.texts_by_name(json_object(body.content, "the manifest").get("annotations")),
            blobs=_blobs(manifest),
        )


def raw(reference: Reference, registry: Address, *, platform: str | None, timeout: float) -> bytes:
    """The manifest as the registry has it, or with `platform` that of its image. Raises as `inspect` does."""
    with open_contents(registry, timeout=timeout) as contents:
        body = contents.there(reference.repository, reference.version)
        manifest = parsed(body)
        if platform is not None and manifest.kind == "index":
            body = contents.body(reference.repository, _child(manifest, platform))
        return body.content


def _image(contents: Contents, repository: str, manifest: Manifest, platform: str | None) -> Image | None:
    if manifest.kind == "index" and platform is not None:
        manifest = contents.manifest(repository, _child(manifest, platform))
    elif manifest.kind == "index":
        there = _first_there(contents, repository, manifest)
        if there is None:
            return None
        manifest = there
    if manifest.kind != "image":
        return None
    image = inspection.image(manifest, contents.config(repository, manifest))
    if platform is not None and image.platform is not None:
        platforms.chosen(platform, [(image.platform, image.digest)])
    return image


def _first_there(contents: Contents, repository: str, index: Manifest) -> Manifest | None:
    """An index may name images that were never copied along with it."""
    for child in index.children:
        try:
            return contents.manifest(repository, child.digest)
        except NotFound:
            continue
    return None


def _child(index: Manifest, platform: str) -> str:
    """The digest of an index's image for a platform. Raises NotFound."""
    return platforms.chosen(platform, [(child.platform, child.digest) for child in index.children])


def _referrers(contents: Contents, repository: str, digest: str) -> tuple[Entry, ...] | None:
    """They are an extra: what keeps them from being listed keeps nothing else from being shown."""
    try:
        found = contents.registry.referrers(repository, digest)
    except DevregError:
        return None
    return None if found is None else tuple(map(inspection.entry, found))


def _blobs(manifest: Manifest) -> tuple[Entry, ...]:
    """What an artifact consists of; an image's are its layers."""
    if manifest.kind != "artifact":
        return ()
    config = (manifest.config,) if manifest.config else ()
    return tuple(map(inspection.entry, (*config, *manifest.layers)))
