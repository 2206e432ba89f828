"""An OCI image layout: blobs by digest, and `index.json`, which names the roots (OCI image-spec, image-layout.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from devreg.model.archive_json import a_list, a_text, an_object, damaged, read_json, within_bounds
from devreg.model.imageconfig import platform
from devreg.model.manifest import DOCKER_LIST, OCI_IMAGE, OCI_INDEX, Descriptor, names_manifest
from devreg.model.wire import is_digest, same_digest

INDEX = "index.json"
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_NO_PLATFORM = "unknown/unknown"  # of attestations
_DEEPEST, _MOST = 8, 4096


@dataclass(frozen=True)
class StoredManifest:
    """A manifest or index as it lies in the layout."""

    descriptor: Descriptor
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Root:
    """Something that `index.json` names: pushed whole, byte for byte.

    `names`: what its annotations call it, a reference or a tag. `manifests`: each before those that refer to it, the
    root last. `blobs`: configs and layers that they need, each once. `absent`: manifests that an index names and the
    layout lacks.
    """

    descriptor: Descriptor
    names: tuple[str, ...]
    manifests: tuple[StoredManifest, ...]
    blobs: tuple[Descriptor, ...]
    absent: tuple[Descriptor, ...] = ()


def path(digest: str) -> str:
    """Where a blob lies in a layout."""
    return f"blobs/{digest.replace(':', '/', 1)}"


def roots(index: bytes, blob: Callable[[str], bytes | None]) -> tuple[Root, ...]:
    """What an `index.json` names. `blob` gives the content of a manifest by its digest, None where there is none.

    Raises ArchiveUnusable for what makes no sense, for a root that is missing, and for content that is not what its
    digest or its size says.
    """
    entries = a_list(an_object(read_json(index, INDEX), INDEX).get("manifests"), f"manifests in {INDEX}")
    if not entries:
        raise damaged(f"{INDEX} names no image")
    found: dict[str, tuple[Descriptor, dict[str, None]]] = {}
    for entry in (an_object(each, f"an entry of {INDEX}") for each in entries):
        descriptor = _descriptor(entry)
        found.setdefault(descriptor.digest, (descriptor, {}))[1].update(dict.fromkeys(_names(entry)))
    bounded = within_bounds(blob)
    return tuple(_root(descriptor, tuple(names), bounded) for descriptor, names in found.values())


def complete(root: Root) -> Root:
    """The part of a root that is here: the one manifest of an index whose others are absent, else the root itself.

    Raises ArchiveUnusable where several are here and others are not: that index would promise what is not there.
    """
    if not root.absent:
        return root
    images = [each for each in root.manifests if each.descriptor.media_type not in (OCI_INDEX, DOCKER_LIST)]
    here = [each for each in images if each.descriptor.platform not in (None, _NO_PLATFORM)]
    if len(here) != 1:
        names = ", ".join(each.platform or each.digest for each in root.absent)
        raise damaged(f"the index {root.descriptor.digest} names {names}, which is not here")
    (only,) = here
    blobs = _Walk(lambda digest: only.body if digest == only.descriptor.digest else None)
    blobs.into(only.descriptor, 0)
    return Root(only.descriptor, root.names, (only,), tuple(blobs.blobs.values()))


def below(descriptor: Descriptor, blob: Callable[[str], bytes | None]) -> Root:
    """What a manifest leads to, wherever it lies. `blob` as for `roots`. Raises ArchiveUnusable."""
    return _root(descriptor, (), within_bounds(blob))


def _names(entry: dict[str, object]) -> list[str]:
    annotations = an_object(entry.get("annotations") or {}, "annotations")
    return [name for key in _NAMES if isinstance(name := annotations.get(key), str) and name][:1]


def _root(descriptor: Descriptor, names: tuple[str, ...], blob: Callable[[str], bytes | None]) -> Root:
    walk = _Walk(blob)
    walk.into(descriptor, 0)
    if descriptor.digest in walk.absent:
        raise damaged(f"{INDEX} names {descriptor.digest}, which is not there")
    manifests = tuple(walk.manifests.values())
    absent = tuple(walk.absent.values())
    return Root(manifests[-1].descriptor, names, manifests, tuple(walk.blobs.values()), absent)


class _Walk:
    """Everything below one root."""

    def __init__(self, blob: Callable[[str], bytes | None]) -> None:
        self._blob = blob
        self.manifests: dict[str, StoredManifest] = {}
        self.blobs: dict[str, Descriptor] = {}
        self.absent: dict[str, Descriptor] = {}

    def into(self, descriptor: Descriptor, depth: int) -> None:
        before = self.manifests.get(descriptor.digest)
        if before is not None and before.descriptor.size == descriptor.size:
            return
        if depth > _DEEPEST or len(self.manifests) > _MOST:
            raise damaged("its indexes are nested without end")
        body = self._blob(descriptor.digest)
        if body is None:
            self.absent[descriptor.digest] = descriptor
            return
        if len(body) != descriptor.size or not same_digest(body, descriptor.digest):
            raise damaged(f"the content of {descriptor.digest} is not what its digest and size say")
        content = an_object(read_json(body, descriptor.digest), descriptor.digest)
        _check_kind(descriptor.digest, content)
        for child in (an_object(each, "a descriptor") for each in a_list(content.get("manifests"), "manifests")):
            if names_manifest((named := _descriptor(child)).media_type):
                self.into(named, depth + 1)
            else:  # BuildKit keeps its cache in indexes of layers
                self._need(child)
        for entry in (content.get("config"), *a_list(content.get("layers"), "layers"), *_blobs_of(content)):
            if entry is not None:
                self._need(an_object(entry, "a descriptor"))
        stored = Descriptor(_media_type(descriptor, content), descriptor.digest, len(body), descriptor.platform)
        self.manifests[descriptor.digest] = StoredManifest(stored, body)

    def _need(self, entry: dict[str, object]) -> None:
        """A blob that has to be up. One with URLs is had from there: foreign, or non-distributable."""
        descriptor = _descriptor(entry)
        if not entry.get("urls"):
            before = self.blobs.setdefault(descriptor.digest, descriptor)
            if before.size != descriptor.size:
                raise damaged(f"{descriptor.digest} is said to have {before.size} bytes, and {descriptor.size}")


def _check_kind(digest: str, content: dict[str, object]) -> None:
    """Clients would not agree on what is an image and an index at once (image-spec, CVE-2021-41190)."""
    is_image = any(key in content for key in ("config", "layers", "blobs"))
    if is_image is ("manifests" in content):
        raise damaged(f"{digest} is {'an image and an index at once' if is_image else 'no manifest'}")


def _blobs_of(content: dict[str, object]) -> list[object]:
    """The blobs of an artifact's manifest, which OCI has given up again."""
    return a_list(content.get("blobs"), "blobs")


def _media_type(descriptor: Descriptor, content: dict[str, object]) -> str:
    for said in (content.get("mediaType"), descriptor.media_type):
        if isinstance(said, str) and said:
            if not (said.isascii() and said.isprintable()):
                raise damaged(f"{said!r} is no media type")
            return said
    return OCI_INDEX if "manifests" in content else OCI_IMAGE


def _descriptor(entry: dict[str, object]) -> Descriptor:
    digest = a_text(entry.get("digest"), "a digest")
    size = entry.get("size")
    if not is_digest(digest):
        raise damaged(f"{digest!r} is no digest")
    if type(size) is not int or not 0 <= size < 2**63:
        raise damaged(f"the size of {digest} is missing or invalid")
    where = entry.get("platform")
    return Descriptor(
        a_text(entry.get("mediaType", ""), "a media type"),
        digest,
        size,
        platform(where) if isinstance(where, dict) else None,
    )
