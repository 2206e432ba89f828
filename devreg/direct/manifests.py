"""Manifests go last: then whatever they refer to is up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from devreg.direct.placer import Blob, Placer
from devreg.model.content import Content
from devreg.model.errors import NotFound, RefusedOverwrite
from devreg.model.manifest import Descriptor
from devreg.model.oci_layout import Root
from devreg.model.wire import same_digest
from devreg.registry.at_once import do_all

SENT_AT_ONCE = 3
"""Blobs: compressing and sending keep two processors and a disk busy."""


@dataclass(frozen=True)
class Raised:
    """A manifest all of whose blobs are up: it can be given names."""

    descriptor: Descriptor
    body: bytes = field(repr=False)


def raise_root(placer: Placer, root: Root, content: Callable[[Descriptor], Content]) -> Raised:
    """Send what a root of an OCI layout needs, as it is: blobs, then the manifests below the root.

    `content` gives a blob's bytes. Raises what Placer.place does.
    """

    def place(blob: Descriptor) -> None:
        placer.place(Blob(blob.digest, blob.media_type, blob.size, (blob,)), content(blob))

    do_all(place, [blob for blob in root.blobs if not placer.is_placed(blob.digest)], parallel=SENT_AT_ONCE)
    for manifest in root.manifests[:-1]:
        its = manifest.descriptor
        placer.registry.put_manifest(placer.repository, its.digest, manifest.body, its.media_type)
    top = root.manifests[-1]
    return Raised(top.descriptor, top.body)


def name(placer: Placer, manifest: Raised, tag: str, *, no_clobber: bool = False) -> bool:
    """Give a manifest a tag. Returns whether that changed anything.

    Raises RefusedOverwrite where `no_clobber` and the tag stands for another; UploadFailed and so on.
    """
    its, now = manifest.descriptor, present(placer, tag)
    if now is not None and same_digest(manifest.body, now):  # whichever kind of digest either of them is known by
        return False
    if now is not None and no_clobber:
        raise clobbered(placer, tag, now, its.digest)
    placer.registry.put_manifest(placer.repository, tag, manifest.body, its.media_type)
    return True


def present(placer: Placer, tag: str) -> str | None:
    """The digest that a tag stands for now, None where there is no such tag."""
    try:
        return placer.registry.head_manifest(placer.repository, tag).digest
    except NotFound:
        return None


def clobbered(placer: Placer, tag: str, now: str, wanted: str) -> RefusedOverwrite:
    """The error for a tag that is not to be moved."""
    return RefusedOverwrite(
        f"{placer.address}/{placer.repository}:{tag} is {now} already, and would become {wanted}",
        hint="choose another tag, or leave out --no-clobber",
    )
