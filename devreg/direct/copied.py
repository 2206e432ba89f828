"""An image of another repository: what it leads to is put up as an OCI layout is."""

from __future__ import annotations

from collections.abc import Iterator

from devreg.direct.manifests import Raised, raise_root
from devreg.direct.placer import Placer
from devreg.model import imageconfig, oci_layout, platforms
from devreg.model.body import Body
from devreg.model.errors import ArchiveUnusable, NotFound, UploadFailed
from devreg.model.manifest import Descriptor
from devreg.model.oci_layout import Root
from devreg.model.wire import unusable
from devreg.remote.contents import Contents, parsed


def as_it_is(body: Body) -> Raised:
    """A manifest as it came, where all that it needs is up.

    Raises UploadFailed for one of schema 1: its digest is not that of its bytes, and registries take none any more.
    """
    manifest = parsed(body)
    if manifest.kind == "schema1":
        raise UploadFailed(
            f"{body.digest or 'it'} is a manifest of before 2016 (schema 1), which cannot be copied as it is",
            hint="make a newer one of it first: skopeo copy --format v2s2, or pull and push it with an old engine",
        )
    return Raised(Descriptor(manifest.media_type, body.digest, len(body.content)), body.content)


def raise_copy(
    contents: Contents, repository: str, placer: Placer, reference: str, *, platform: str | None = None
) -> Raised:
    """Put up what a reference of `repository` leads to, all but its name. `platform`: of an index, that image alone.

    Blobs are mounted where both repositories are in one registry, and else handed through. Raises NotFound for an image
    that an index names and the repository lacks, what Placer.place does, and RegistryUnreachable.
    """
    raised = as_it_is(contents.there(repository, reference))
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


def manifests_of(contents: Contents, repository: str, descriptor: Descriptor) -> Iterator[str]:
    """The digests of a manifest and of all manifests below it."""
    return (each.descriptor.digest for each in _root(contents, repository, descriptor).manifests)


def _of(contents: Contents, repository: str, raised: Raised, platform: str) -> str:
    """The digest of the image for a platform."""
    manifest = parsed(Body(raised.body, raised.descriptor.media_type, raised.descriptor.digest))
    there = [(child.platform, child.digest) for child in manifest.children]
    if manifest.kind != "index":
        there = [(imageconfig.platform(contents.config(repository, manifest)), manifest.digest)]
    return platforms.chosen(platform, there)


def _root(contents: Contents, repository: str, descriptor: Descriptor) -> Root:
    def content(digest: str) -> bytes | None:
        try:
            return contents.body(repository, digest).content
        except NotFound:
            return None

    try:
        return oci_layout.below(descriptor, content)
    except ArchiveUnusable as error:
        raise unusable(error.fault) from error
