"""The images of an archive on disk: each is checked whole before anything of it is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from devreg.archives.compressed import CompressedTar
from devreg.archives.content import Stored
from devreg.archives.inflate import LONGEST_MAGIC, method
from devreg.archives.shelf import Folder, Shelf, Shelved, Tar, small
from devreg.direct.docker_image import place_member, raise_missing
from devreg.direct.known import known_layers, whole
from devreg.direct.manifests import Raised, raise_root
from devreg.direct.placer import Placer
from devreg.model import docker_archive, oci_layout
from devreg.model.archive_json import damaged
from devreg.model.docker_archive import ArchivedImage
from devreg.model.errors import ArchiveUnusable
from devreg.model.manifest import Descriptor
from devreg.model.oci_layout import Root


@dataclass(frozen=True)
class InArchive:
    """An image that an archive holds. `id`: the digest of its config, or of itself where it is kept as it is; `names`:
    what the archive calls it; `raise_by`: puts up all but its name."""

    id: str
    names: tuple[str, ...]
    raise_by: Callable[[Placer, Sequence[str]], Raised]


def images(path: Path) -> tuple[InArchive, ...]:
    """What an archive holds. Raises ArchiveUnusable for what is none, or is damaged or incomplete."""
    shelf = _shelf(path)
    manifest, index = small(shelf, docker_archive.MANIFEST), small(shelf, oci_layout.INDEX)
    if index is not None:
        roots = oci_layout.roots(index, lambda digest: small(shelf, oci_layout.path(digest)))
        if manifest is not None:  # from an engine, which may have one platform of several
            roots = tuple(map(oci_layout.complete, roots))
        if manifest is None or not any(_is_bare(shelf, root) for root in roots):
            return tuple(_verbatim(shelf, root) for root in roots)
    if manifest is None:
        raise ArchiveUnusable(
            f"{path} is no archive of images: it has neither {docker_archive.MANIFEST} nor {oci_layout.INDEX}",
            hint="make one with `docker save`, or with `docker buildx build --output type=oci`",
        )
    found = docker_archive.images(manifest, lambda name: small(shelf, name))
    return tuple(_converted(shelf, image) for image in found)


def _shelf(path: Path) -> Shelf:
    try:
        if path.is_dir():
            return Folder(path)
        with path.open("rb") as file:
            how = method(file.read(LONGEST_MAGIC))
    except OSError as error:
        raise ArchiveUnusable(f"{path} cannot be read: {error.strerror}", hint="check its name and rights") from error
    return CompressedTar(path, how) if how else Tar(path)


def _is_bare(shelf: Shelf, root: Root) -> bool:
    """Whether a layer is a bare tar, as engines with a graph driver save it: it is to be compressed on the way."""
    layers = [each for each in root.blobs if "layer" in each.media_type or "rootfs" in each.media_type]
    found = [shelf.find(oci_layout.path(each.digest)) for each in layers]
    return any(method(each.head()) is None for each in found if each is not None)


def _verbatim(shelf: Shelf, root: Root) -> InArchive:
    """A root of an OCI layout, kept as it is."""
    if root.absent:
        raise damaged(f"{oci_layout.INDEX} leads to {root.absent[0].digest}, which is not there")
    members = {blob.digest: _needed(shelf, oci_layout.path(blob.digest)) for blob in root.blobs}
    for blob in root.blobs:
        if members[blob.digest].size != blob.size:
            raise damaged(f"{blob.digest} has {members[blob.digest].size} bytes, and its manifest says {blob.size}")

    def content(blob: Descriptor) -> Stored:
        return Stored(members[blob.digest].open, blob.digest, blob.size, blob.digest)

    return InArchive(root.descriptor.digest, root.names, lambda placer, _tags: raise_root(placer, root, content))


def _converted(shelf: Shelf, image: ArchivedImage) -> InArchive:
    """An image of a docker-archive: its layers are compressed on the way, and a manifest is written."""
    here = {each: path for each, path in zip(image.diff_ids, image.layers, strict=True) if each not in image.elsewhere}
    members = {diff_id: _needed(shelf, path) for diff_id, path in here.items()}

    def raise_by(placer: Placer, tags: Sequence[str]) -> Raised:
        known = known_layers(placer, tuple(here), tags)
        if not image.elsewhere and (there := whole(placer, image.id, image.diff_ids, known)):
            return there
        return raise_missing(placer, image, known, lambda each: place_member(placer, each, members[each]))

    return InArchive(image.id, image.names, raise_by)


def _needed(shelf: Shelf, name: str) -> Shelved:
    found = shelf.find(name)
    if found is None:
        raise damaged(f"it lacks {name}")
    return found
