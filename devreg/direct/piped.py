"""One image from a pipe. What it consists of shows at its end, so each layer is kept on disk while it is pushed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

from devreg.archives.compressed import content_digest
from devreg.archives.content import Stored
from devreg.archives.inflate import decompressed, method, peeked
from devreg.archives.one_pass import Member, Passed, one_pass
from devreg.archives.spool import Spooled, spooled
from devreg.archives.tar_headers import is_tar
from devreg.direct.docker_image import finish, in_memory, place_member, small_member
from devreg.direct.known import learn
from devreg.direct.manifests import Raised, raise_root
from devreg.direct.placer import Blob, Placer
from devreg.model import docker_archive, docker_manifest, oci_layout
from devreg.model.archive_json import damaged
from devreg.model.content import Content
from devreg.model.manifest import Descriptor

_Found = TypeVar("_Found")

_WHAT = "standard input"
_BLOBS = "blobs/"
_LAYERS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")  # what archives call them


@dataclass(frozen=True)
class _Taken:
    """The blob that a member has become. `diff_id`: the digest of the layer's tar, None where that was not looked at;
    `bare`: it was compressed here."""

    descriptor: Descriptor
    diff_id: str | None
    bare: bool = False


def raise_piped(placer: Placer, stdin: BinaryIO, tags: Sequence[str] = ()) -> Raised:
    """Put up the one image of a docker-archive or an OCI layout that comes through a pipe.

    `tags`: what in the repository may have the same layers. Raises ArchiveUnusable for an archive that is damaged, or
    has several images, and what Placer.place does.
    """
    head, pipe = peeked(stdin, _WHAT)
    how = method(head)
    learned = False

    def take(member: Member, _small: Mapping[str, bytes]) -> _Taken | None:
        nonlocal learned
        if not member.name.startswith(_BLOBS) and not member.name.endswith(_LAYERS):
            return None
        if not learned and method(member.head) is None:
            learn(placer, tags)
            learned = True
        with spooled(member) as spool:
            return _place(placer, spool)

    passed = one_pass(decompressed(pipe, how, _WHAT) if how else pipe, take, _WHAT)
    manifest, index = passed.text(docker_archive.MANIFEST), passed.text(oci_layout.INDEX)
    bare = any(each.bare for each in passed.taken.values() if each)
    if index is not None and (manifest is None or not bare):
        return _layout(placer, passed, index, from_engine=manifest is not None)
    if manifest is None:
        raise damaged(f"{_WHAT} has neither {docker_archive.MANIFEST} nor {oci_layout.INDEX}")
    return _docker(placer, passed, manifest)


def _place(placer: Placer, spool: Spooled) -> _Taken:
    member, digest = spool.member, spool.digest
    how, is_blob = method(member.head()), member.name.startswith(_BLOBS)
    if how is None and (not is_blob or is_tar(member.head())):
        return _Taken(place_member(placer, digest, member), digest, bare=True)
    if not is_blob and how is not None:
        diff_id = content_digest(member, how)
        return _Taken(place_member(placer, diff_id, member), diff_id)
    there = Descriptor(docker_manifest.LAYER, digest, member.size)
    blob = Blob(digest, there.media_type, there.size, (there,))
    return _Taken(placer.place(blob, Stored(member.open, digest, there.size, member.name)), None)


def _docker(placer: Placer, passed: Passed[_Taken | None], manifest: bytes) -> Raised:
    image = _only(docker_archive.images(manifest, passed.text))
    layers = []
    for diff_id, path in zip(image.diff_ids, image.layers, strict=True):
        if diff_id in image.elsewhere:
            continue
        taken, text = passed.made(path), passed.text(path)
        if taken is not None and taken.diff_id != diff_id:
            raise damaged(f"the layer {path} is {taken.diff_id or 'compressed'}, and the image's config says {diff_id}")
        if taken is None and text is None:
            raise damaged(f"{_WHAT} lacks the layer {path}, or that is called as no layer is")
        layers.append(taken.descriptor if taken else place_member(placer, diff_id, small_member(text or b"", path)))
    return finish(placer, image, layers)


def _layout(placer: Placer, passed: Passed[_Taken | None], index: bytes, *, from_engine: bool) -> Raised:
    root = _only(oci_layout.roots(index, lambda digest: passed.text(oci_layout.path(digest))))
    if from_engine:  # it may have one platform of several
        root = oci_layout.complete(root)
    if root.absent:
        raise damaged(f"{oci_layout.INDEX} leads to {root.absent[0].digest}, which is not there")
    for blob in root.blobs:
        taken = passed.made(oci_layout.path(blob.digest))
        if taken is not None and taken.bare:
            raise damaged(f"{blob.digest} is not compressed, and a pipe is compressed at once: push the file itself")
        if taken is not None and taken.descriptor.size != blob.size:
            raise damaged(f"{blob.digest} has {taken.descriptor.size} bytes, and its manifest says {blob.size}")

    def content(blob: Descriptor) -> Content:
        body = passed.text(oci_layout.path(blob.digest))
        if body is None:
            raise damaged(f"{_WHAT} lacks {blob.digest}")
        if len(body) != blob.size:
            raise damaged(f"{blob.digest} has {len(body)} bytes, and its manifest says {blob.size}")
        return in_memory(body, blob.digest)

    return raise_root(placer, root, content)


def _only(found: Sequence[_Found]) -> _Found:
    if len(found) != 1:
        raise damaged(f"{_WHAT} has {len(found)} images: push them from a file, which tells their names first")
    return found[0]
