"""An image that is known by its config and the tars of its layers, as Docker's graph drivers keep it: its layers are
compressed on the way, and its manifest is written here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import BytesIO

from devreg.archives.compressed import content_digest
from devreg.archives.content import Deflated, Stored
from devreg.archives.deflate import compressor_name
from devreg.archives.inflate import method
from devreg.archives.shelf import Shelved
from devreg.direct.manifests import SENT_AT_ONCE, Raised
from devreg.direct.placer import Blob, Meter, Placer
from devreg.model import docker_manifest
from devreg.model.archive_json import damaged
from devreg.model.docker_archive import ArchivedImage
from devreg.model.manifest import DOCKER_IMAGE, Descriptor
from devreg.model.wire import digest_of
from devreg.registry.at_once import do_all

_WINDOW, _SMALL_WINDOW = 16 * 2**20, 2**20  # bytes

# What other pushes may have called a gzipped layer: the same bytes under a name of OCI's or of Docker's.
_GZIPPED = (docker_manifest.LAYER, "application/vnd.oci.image.layer.v1.tar+gzip")


def layer_blob(placer: Placer, diff_id: str, total: int) -> Blob:
    """What is known of a layer. `total`: the bytes of its tar, 0 where that is not known."""
    known = placer.candidates(diff_id, docker_manifest.LAYER, _GZIPPED)
    return Blob(diff_id, docker_manifest.LAYER, total, known, key=f"{diff_id} {compressor_name()}")


def place_layer(
    placer: Placer,
    blob: Blob,
    blocks: Iterator[bytes],
    again: Callable[[], Iterator[bytes]] | None = None,
) -> Descriptor:
    """Compress and send a layer's tar. Raises ArchiveUnusable when it is not what its diffID promises."""
    meter = Meter()
    # What can be read again need not stay in memory.
    window = _WINDOW if again is None else _SMALL_WINDOW
    content = Deflated(meter.count(blocks), again and (lambda: meter.count(again())), window=window)

    def check() -> None:
        if content.diff_id != blob.name:
            raise damaged(f"what should be the layer {blob.name} is {content.diff_id}")

    return placer.place(blob, content, meter, check)


def place_member(placer: Placer, diff_id: str, member: Shelved) -> Descriptor:
    """Send a layer that can be read again and again: one that is compressed already stays as it is.

    Raises ArchiveUnusable for one that is not what its diffID promises, or that Docker's manifests have no name for.
    """
    how, blob = method(member.head()), layer_blob(placer, diff_id, member.size)
    if how is None:
        return place_layer(placer, blob, member.blocks(), member.blocks)
    if how != "gzip":
        raise damaged(f"the layer {diff_id} is compressed with {how}, which Docker's manifests have no name for")
    if (found := content_digest(member, how)) != diff_id:
        raise damaged(f"what should be the layer {diff_id} is {found}")
    sha = hashlib.sha256()
    for block in member.blocks():
        sha.update(block)
    there = Descriptor(blob.media_type, f"sha256:{sha.hexdigest()}", member.size)
    return placer.place(
        replace(blob, candidates=(there, *blob.candidates), key=there.digest),
        Stored(member.open, there.digest, there.size, member.name),
    )


def raise_missing(
    placer: Placer, image: ArchivedImage, known: Mapping[str, Descriptor], place: Callable[[str], Descriptor]
) -> Raised:
    """Put up an image whose layers can be had in any order, several at once. `known`: those that are up, by diffID;
    `place` sends another. Raises what it does."""
    placed = dict(known)

    def add(diff_id: str) -> None:
        placed[diff_id] = place(diff_id)

    here = [each for each in image.diff_ids if each not in image.elsewhere]
    do_all(add, [each for each in dict.fromkeys(here) if each not in known], parallel=SENT_AT_ONCE)
    return finish(placer, image, [placed[each] for each in here])


def finish(placer: Placer, image: ArchivedImage, layers: Sequence[Descriptor]) -> Raised:
    """Send the config, and write the manifest. `layers`: those that are not had from elsewhere, in order."""
    config = place_config(placer, image.config)
    placed = iter(layers)
    entries = [image.elsewhere.get(diff_id) or next(placed) for diff_id in image.diff_ids]
    return raised(config, entries)


def place_config(placer: Placer, config: bytes) -> Descriptor:
    """Send a config, where it is not there."""
    digest = digest_of(config)
    descriptor = Descriptor(docker_manifest.CONFIG, digest, len(config))
    blob = Blob(digest, docker_manifest.CONFIG, len(config), (descriptor,))
    return placer.place(blob, in_memory(config, digest))


def raised(config: Descriptor, layers: Sequence[object]) -> Raised:
    """The image's manifest, its blobs being up."""
    body = docker_manifest.written(config, layers)  # type: ignore[arg-type]
    return Raised(Descriptor(DOCKER_IMAGE, digest_of(body), len(body)), body)


def in_memory(content: bytes, digest: str) -> Stored:
    """A small blob that is in memory."""
    return Stored(lambda: BytesIO(content), digest, len(content), digest)


def small_member(content: bytes, name: str) -> Shelved:
    """A small layer that is in memory."""
    return Shelved(name, len(content), lambda: BytesIO(content))
