"""An image of another repository: what it leads to is put up as an OCI layout is, and what refers to it, too."""

from __future__ import annotations

import json
from collections.abc import Iterator

from devreg.direct.manifests import Raised, name, raise_root
from devreg.direct.placer import Placer
from devreg.model import imageconfig, oci_layout
from devreg.model.body import Body
from devreg.model.errors import ArchiveUnusable, NotFound
from devreg.model.manifest import OCI_INDEX, Descriptor
from devreg.model.oci_layout import Root
from devreg.model.referrer_tag import subject
from devreg.model.wire import digest_of, json_object, unusable
from devreg.remote.contents import Contents, parsed

_MOST = 1000
"""Referrers of one image, and theirs. Real ones have a handful."""


def as_it_is(body: Body) -> Raised:
    """A manifest as it came, where all that it needs is up."""
    return Raised(Descriptor(parsed(body).media_type, body.digest, len(body.content)), body.content)


def raise_copy(
    contents: Contents, repository: str, placer: Placer, reference: str, *, platform: str | None = None
) -> Raised:
    """Put up what a reference of `repository` leads to, all but its name. `platform`: of an index, that image alone.

    Blobs are mounted where both repositories are in one registry, and else handed through. Raises NotFound for an image
    that an index names and the repository lacks, what Placer.place does, and RegistryUnreachable.
    """
    raised = as_it_is(contents.body(repository, reference))
    if platform is not None:
        raised = as_it_is(contents.body(repository, _of(contents, repository, raised, platform)))
    root = _root(contents, repository, raised.descriptor)
    if root.absent:
        names = ", ".join(each.platform or each.digest for each in root.absent)
        raise NotFound(
            f"{raised.descriptor.digest} names {names}, which {repository} does not have",
            hint="copy an image that is there: --platform OS/ARCH",
        )
    if contents.registry is placer.registry:
        placer.cache.learn(placer.address, repository, ((None, blob) for blob in root.blobs))
    return raise_root(placer, root, lambda blob: contents.registry.read_blob(repository, blob))


def related(contents: Contents, repository: str, placer: Placer, raised: Raised) -> int:
    """Put up what refers to a manifest that was copied, to the images of an index, and to what refers to them.

    Where the source has no list of referrers, those that are found by their tags. Returns how many there are.
    """
    waiting = list(_digests(contents, repository, raised.descriptor))
    done: dict[str, None] = {}
    tags: list[str] | None = None
    while waiting and len(done) < _MOST:
        digest = waiting.pop()
        listed = contents.registry.referrers(repository, digest)
        if listed is None and tags is None:
            tags = [tag for tag in contents.registry.tags(repository) if subject(tag)]
        names = [each.digest for each in listed or ()] + [tag for tag in tags or () if subject(tag) == digest]
        for each in (each for each in names if each not in done):
            done[each] = None
            copied = raise_copy(contents, repository, placer, each)
            name(placer, copied, each)
            waiting += _digests(contents, repository, copied.descriptor)
            if listed is not None:
                _list_by_tag(placer, digest, copied)
    return len(done)


def _list_by_tag(placer: Placer, digest: str, referrer: Raised) -> None:
    """Note a referrer where the registry has no list of them: in an index whose tag is the digest of the subject, as
    the OCI distribution-spec asks of clients ("Referrers Tag Schema")."""
    if placer.registry.referrers(placer.repository, digest) is not None:
        return
    tag = digest.replace(":", "-", 1)
    try:
        body, _, _ = placer.registry.manifest_body(placer.repository, tag)
        entries = json_object(body, "the index").get("manifests")
    except NotFound:
        entries = []
    kept = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    if any(each.get("digest") == referrer.descriptor.digest for each in kept):
        return
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*kept, _entry(referrer)]}
    content = json.dumps(index).encode()
    name(placer, Raised(Descriptor(OCI_INDEX, digest_of(content), len(content)), content), tag)


def _entry(referrer: Raised) -> dict[str, object]:
    """A referrer's descriptor, which repeats its type and its annotations."""
    its, manifest = referrer.descriptor, json_object(referrer.body, "the manifest")
    config = manifest.get("config")
    kind = manifest.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else None)
    told = {"artifactType": kind, "annotations": manifest.get("annotations")}
    return {
        "mediaType": its.media_type,
        "digest": its.digest,
        "size": its.size,
        **{key: value for key, value in told.items() if value},
    }


def _of(contents: Contents, repository: str, raised: Raised, platform: str) -> str:
    """The digest of the image for a platform; one without a variant means any."""
    manifest = parsed(Body(raised.body, raised.descriptor.media_type, raised.descriptor.digest))
    there = {child.platform: child.digest for child in manifest.children}
    if manifest.kind != "index":
        there = {imageconfig.platform(contents.config(repository, manifest)): manifest.digest}
    for named, digest in there.items():
        if f"{named}/".startswith(f"{platform}/"):
            return digest
    names = ", ".join(filter(None, there)) or "no platform"
    raise NotFound(f"there is no image for {platform}", hint=f"there is one for {names}")


def _root(contents: Contents, repository: str, descriptor: Descriptor) -> Root:
    def content(digest: str) -> bytes | None:
        try:
            return contents.body(repository, digest).content
        except NotFound:
            return None

    try:
        return oci_layout.below(descriptor, content)
    except ArchiveUnusable as error:
        raise unusable(error.message) from error


def _digests(contents: Contents, repository: str, descriptor: Descriptor) -> Iterator[str]:
    """Of a manifest and of all manifests below it."""
    return (each.descriptor.digest for each in _root(contents, repository, descriptor).manifests)
