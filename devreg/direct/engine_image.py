"""An image of the engine, put up from its export while that streams by: nothing is copied to disk here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from devreg.archives.content import Passing
from devreg.archives.forward import Readable
from devreg.archives.one_pass import Member, Passed, one_pass
from devreg.archives.spool import spooled
from devreg.archives.v1_ids import layer_of
from devreg.direct.docker_image import (
    finish,
    in_memory,
    layer_blob,
    place_layer,
    place_member,
    raise_missing,
    small_member,
)
from devreg.direct.manifests import Raised, raise_root
from devreg.direct.placer import Blob, Placer
from devreg.host.layer_store import StoredImage
from devreg.model import docker_archive, oci_layout
from devreg.model.archive_json import damaged
from devreg.model.content import Content
from devreg.model.docker_archive import ArchivedImage
from devreg.model.engine import LocalImage
from devreg.model.manifest import Descriptor

_WHAT = "the engine's export"
_LAYER = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.tar)?")


def from_layers(
    placer: Placer, image: LocalImage, known: Mapping[str, Descriptor], export: AbstractContextManager[Readable]
) -> Raised:
    """Put up an image that a graph driver keeps: the export has the tars of its layers.

    `known`: layers that are there already, by diffID. Raises Spent when an upload cannot go on without the export from
    its start; ArchiveUnusable; what Placer.place does.
    """

    layers = dict(known)

    def take(member: Member, small: Mapping[str, bytes]) -> None:
        diff_id = _diff_id(member.name, small, image.diff_ids)
        if diff_id is None:  # an engine that names its layers otherwise
            with spooled(member) as spool:
                if spool.digest in image.diff_ids and spool.digest not in layers:
                    layers[spool.digest] = place_member(placer, spool.digest, spool.member)
        elif diff_id not in layers:
            layers[diff_id] = place_layer(placer, layer_blob(placer, diff_id, member.size), member.blocks)

    with export as stream:
        passed = one_pass(stream, take, _WHAT)
    (archived,) = docker_archive.images(_needed(passed, docker_archive.MANIFEST), passed.text)
    if archived.id != image.id:
        raise damaged(f"the engine exported {archived.id} for {image.id}")
    for path, each in zip(archived.layers, archived.diff_ids, strict=True):
        if each not in layers and each not in archived.elsewhere:
            layers[each] = place_member(placer, each, small_member(_needed(passed, path), path))
    return finish(placer, archived, [layers[each] for each in archived.diff_ids if each not in archived.elsewhere])


def from_store(placer: Placer, image: LocalImage, stored: StoredImage, known: Mapping[str, Descriptor]) -> Raised:
    """Put up an image whose layers can be read where the engine keeps them. Raises StoreChanged; ArchiveUnusable for a
    layer that is not what its diffID says; what Placer.place does."""

    def place(diff_id: str) -> Descriptor:
        layer = stored.layers[diff_id]
        return place_layer(placer, layer_blob(placer, diff_id, layer.size), layer.blocks(), layer.blocks)

    return raise_missing(placer, ArchivedImage((), stored.config, image.diff_ids, ()), known, place)


def from_blobs(placer: Placer, image: LocalImage, export: AbstractContextManager[Readable]) -> Raised:
    """Put up an image of containerd's store: the export is an OCI layout, whose blobs are kept as they are.

    Of an index only those platforms are pushed that the engine has. Raises as `from_layers` does.
    """

    def take(member: Member, _small: Mapping[str, bytes]) -> Descriptor:
        named = _LAYER.fullmatch(member.name)
        if named is None:
            raise damaged(f"the engine's export has {member.name}, which is no blob")
        blob = Descriptor("application/octet-stream", f"sha256:{named[1]}", member.size)
        content = Passing(member.blocks, blob.digest, blob.size)
        return placer.place(Blob(blob.digest, blob.media_type, blob.size, (blob,)), content)

    with export as stream:
        passed = one_pass(stream, take, _WHAT)
    found = oci_layout.roots(_needed(passed, oci_layout.INDEX), lambda digest: passed.text(oci_layout.path(digest)))
    root = next((each for each in found if each.descriptor.digest == image.id), found[0])
    root = oci_layout.complete(root)

    def content(blob: Descriptor) -> Content:
        body = passed.text(oci_layout.path(blob.digest))
        if body is None:
            raise damaged(f"the engine's export lacks {blob.digest}")
        return in_memory(body, blob.digest)

    return raise_root(placer, root, content)


def _diff_id(name: str, small: Mapping[str, bytes], diff_ids: Sequence[str]) -> str | None:
    """Which layer a member is: engines from 25 on, and podman, name it so; older ones by their first image format."""
    if named := _LAYER.fullmatch(name):
        digest = f"sha256:{named[1]}"
        return digest if digest in diff_ids else None
    folder = name.rpartition("/")[0]
    return layer_of(folder, small.get(f"{folder}/json", b""), diff_ids)


def _needed(passed: Passed[Any], name: str) -> bytes:
    content = passed.text(name)
    if content is None:
        raise damaged(f"the engine's export has no {name}")
    return content
