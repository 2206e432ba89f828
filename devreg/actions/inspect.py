"""What a reference in a registry stands for, without pulling it."""

from __future__ import annotations

import platform as machine
from collections.abc import Iterable, Sequence
from typing import Literal

from devreg.actions.reach import open_contents
from devreg.model import imageconfig, inspection, platforms
from devreg.model.address import Address
from devreg.model.body import Body
from devreg.model.errors import DevregError
from devreg.model.inspection import Entry, Image, Inspected
from devreg.model.manifest import Manifest
from devreg.model.reference import Reference
from devreg.model.wire import json_object
from devreg.remote.contents import Contents, parsed
from devreg.remote.members import Member, members
from devreg.remote.referring import referring

Choice = Literal["asked", "machine", "first"]


def inspect(reference: Reference, registry: Address, *, platform: str | None, timeout: float) -> Inspected:
    """All that its manifest and its config tell. `platform`: `OS/ARCHITECTURE[/VARIANT]`, for an image of several.

    Raises NotFound, also for a platform that is not there, NotAuthorized, RegistryUnreachable.
    """
    repository = reference.repository
    with open_contents(registry, timeout=timeout) as contents:
        body = contents.there(repository, reference.version)
        manifest = parsed(body)
        there = members(contents, repository, manifest, now=True) if manifest.kind == "index" else ()
        shown, chosen = _shown(contents, repository, body, there, platform)
        images = tuple(map(_entry, there))
        content = json_object(body.content, "the manifest")
        referrers = referring(contents, repository, body.digest)
        return Inspected(
            reference=str(reference),
            digest=body.digest,
            media_type=manifest.media_type,
            kind=manifest.kind,
            manifest_size=len(body.content),
            image=None if shown is None else _image(contents, repository, shown),
            platforms=images,
            attestations=inspection.attestations(manifest, content, images),
            referrers=None if referrers is None else tuple(map(inspection.entry, referrers)),
            annotations=inspection.texts_by_name(content.get("annotations")),
            blobs=() if shown is None else _blobs(parsed(shown)),
            size=_size_of_all(there) if manifest.kind == "index" else manifest.content_size,
            chosen=chosen,
            artifact_type=manifest.artifact_type,
        )


def raw(reference: Reference, registry: Address, *, platform: str | None, timeout: float) -> bytes:
    """The manifest as the registry has it, or with `platform` that of its image. Raises as `inspect` does."""
    repository = reference.repository
    with open_contents(registry, timeout=timeout) as contents:
        body = contents.there(repository, reference.version)
        if platform is None:
            return body.content
        manifest = parsed(body)
        there = members(contents, repository, manifest, now=True) if manifest.kind == "index" else ()
        shown, _ = _shown(contents, repository, body, there, platform)
        return (shown or body).content


def _shown(
    contents: Contents, repository: str, body: Body, there: Sequence[Member], platform: str | None
) -> tuple[Body | None, Choice | None]:
    """The manifest to show the content of, and why that one of several: of an index one of its images, else itself."""
    manifest = parsed(body)
    if manifest.kind != "index":
        if platform is not None:
            _check(contents, repository, manifest, platform)
        return body, None
    if platform is not None:
        digest = platforms.chosen(platform, [(each.platform, each.descriptor.digest) for each in there])
        return contents.there(repository, digest), "asked"
    readable = [each for each in there if each.manifest is not None]
    if not readable:
        return None, None
    at = platforms.best(platforms.of_machine(machine.machine()), [each.platform for each in readable])
    chosen: Choice = "first" if at is None else "machine"
    return contents.body(repository, readable[at or 0].descriptor.digest), chosen


def _check(contents: Contents, repository: str, manifest: Manifest, platform: str) -> None:
    """Raise NotFound for an image that is for another platform. What does not tell is for any."""
    there = imageconfig.platform(contents.config(repository, manifest))
    if there is not None:
        platforms.chosen(platform, [(there, manifest.digest)])


def _image(contents: Contents, repository: str, body: Body) -> Image | None:
    """None for what is no image. One whose config cannot be read still has layers."""
    manifest = parsed(body)
    try:
        if manifest.kind == "schema1":
            return inspection.old_image(manifest, json_object(body.content, "the manifest"))
        return inspection.image(manifest, contents.config(repository, manifest)) if manifest.kind == "image" else None
    except DevregError as error:
        return inspection.image(manifest, {}, error.message)


def _entry(member: Member) -> Entry:
    its, manifest = member.descriptor, member.manifest
    return Entry(
        digest=its.digest,
        size=its.size,
        media_type=its.media_type,
        platform=member.platform,
        content_size=None if manifest is None else manifest.content_size,
        artifact_type=its.artifact_type,
        error=member.error,
    )


def _size_of_all(there: Iterable[Member]) -> int | None:
    """Bytes of all images, each once. None where some are unknown; what cannot be read takes up nothing."""
    found: dict[str, int] = {}
    for each in there:
        if each.error is not None:
            continue
        if each.manifest is None or each.manifest.content_size is None:
            return None
        found[each.descriptor.digest] = each.manifest.content_size
    return sum(found.values())


def _blobs(manifest: Manifest) -> tuple[Entry, ...]:
    """What an artifact consists of; an image's are its layers."""
    if manifest.kind != "artifact":
        return ()
    config = (manifest.config,) if manifest.config else ()
    return tuple(map(inspection.entry, (*config, *manifest.layers)))
