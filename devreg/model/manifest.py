"""Manifests: what a tag or a digest in a registry stands for (OCI image-spec; Docker image manifest v2).

The bytes come from elsewhere: whatever is in them ends as a value or as a DevregError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from devreg.model.imageconfig import platform
from devreg.model.wire import is_digest, json_object, unusable

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

ACCEPTED = (OCI_INDEX, DOCKER_LIST, OCI_IMAGE, DOCKER_IMAGE)
"""What to ask a registry for. With fewer, it converts what it has, and the digest is another."""

_IMAGE_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_ATTESTATION = ("vnd.docker.reference.type", "attestation-manifest")

Kind = Literal["image", "index", "schema1", "artifact"]
_KINDS: dict[str, Kind] = {
    OCI_INDEX: "index",
    DOCKER_LIST: "index",
    OCI_IMAGE: "image",
    DOCKER_IMAGE: "image",
    OCI_ARTIFACT: "artifact",
    DOCKER_SCHEMA1: "schema1",
    DOCKER_SCHEMA1_SIGNED: "schema1",
}


@dataclass(frozen=True)
class Descriptor:
    """A pointer to content: its type, digest and size in bytes.

    `platform` as `linux/arm64/v8`, and what kind of artifact it points to; None when not given.
    """

    media_type: str
    digest: str
    size: int
    platform: str | None = None
    artifact_type: str | None = None


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read. `size` is its own, in bytes.

    `config` and `layers` are an image's or an artifact's, `children` an index's, without `attestations`: those are no
    platform's image. A schema 1 manifest has none of them. What an index names twice is there once. An index that names
    no manifests but `layers`, as BuildKit keeps its cache, is an artifact.
    `artifact_type`: what an artifact is; where it does not say so, its config's type tells (OCI image-spec).
    """

    kind: Kind
    media_type: str
    digest: str
    size: int
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    children: tuple[Descriptor, ...] = ()
    attestations: tuple[Descriptor, ...] = ()
    artifact_type: str | None = None

    @property
    def content_size(self) -> int | None:
        """Bytes of layers and config as the registry stores them; None for an index and for schema 1."""
        if self.kind in ("index", "schema1"):
            return None
        return sum(layer.size for layer in self.layers) + (self.config.size if self.config else 0)

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms that an index names, in its order, each once. An image's platform is in its config."""
        return tuple(dict.fromkeys(child.platform for child in self.children if child.platform))


def parse_manifest(body: bytes, *, media_type: str, digest: str) -> Manifest:
    """Read a manifest. `media_type` is the answer's Content-Type; what the content says goes before it.

    Raises RegistryUnreachable for anything that is not a manifest, also for one that is an image and an index at
    once, which each client would read differently (image-spec, CVE-2021-41190).
    """
    content = json_object(body, "the manifest")
    if "manifests" in content and ("layers" in content or "config" in content):
        raise unusable("the manifest is an image and an index at once")
    media_type = _media_type(content, media_type)
    kind = _KINDS[media_type]
    if kind == "schema1":
        return Manifest(kind, media_type, digest, len(body))
    if kind == "index":
        return _index([_object(entry) for entry in _list(content, "manifests")], media_type, digest, len(body))
    if kind == "artifact":
        blobs = tuple(_descriptor(_object(entry)) for entry in _list(content, "blobs"))
        return Manifest(kind, media_type, digest, len(body), layers=blobs, artifact_type=_text(content, "artifactType"))
    config = _descriptor(_object(content.get("config")))
    layers = tuple(_descriptor(_object(entry)) for entry in _list(content, "layers"))
    if config.media_type in _IMAGE_CONFIGS and not content.get("artifactType"):
        return Manifest("image", media_type, digest, len(body), config, layers)
    what = _text(content, "artifactType") or config.media_type
    return Manifest("artifact", media_type, digest, len(body), config, layers, artifact_type=what)


def names_manifest(media_type: str) -> bool:
    """Whether that is the type of a manifest, not of a blob. Where nothing is said, an index names manifests."""
    return not media_type or "manifest" in media_type or "index" in media_type


def _index(entries: list[dict[str, object]], media_type: str, digest: str, size: int) -> Manifest:
    found: dict[str, dict[Descriptor, None]] = {"children": {}, "attestations": {}, "layers": {}}
    for entry in entries:
        descriptor = _descriptor(entry)
        named = "attestations" if _is_attestation(entry) else "children"
        found[named if names_manifest(descriptor.media_type) else "layers"][descriptor] = None
    children, attestations, layers = map(tuple, found.values())
    kind: Kind = "artifact" if layers and not children else "index"
    return Manifest(kind, media_type, digest, size, None, layers, children, attestations)


def _media_type(content: dict[str, object], header: str) -> str:
    """What the manifest says of itself, which its digest proves; else the header's word, unless the content belies it.

    So a manifest that was kept is the same whichever registry it came from.
    """
    own, said = content.get("mediaType"), header.partition(";")[0].strip().lower()
    if isinstance(own, str) and own in _KINDS:
        return own
    looks = _looks(content)
    if said in _KINDS and (looks is None or _KINDS[said] == _KINDS[looks]):
        return said
    if looks is None:
        raise unusable("the manifest is of no known kind")
    return looks


def _looks(content: dict[str, object]) -> str | None:
    """The media type that the fields of a manifest are typical of."""
    if content.get("schemaVersion") == 1:
        return DOCKER_SCHEMA1
    if "manifests" in content:
        return OCI_INDEX
    return OCI_IMAGE if "config" in content and "layers" in content else None


def _descriptor(entry: dict[str, object]) -> Descriptor:
    media_type, digest, size = entry.get("mediaType", ""), entry.get("digest"), entry.get("size")
    if not isinstance(media_type, str) or not media_type.isprintable():
        raise unusable("a media type in the manifest is not a text")
    if not isinstance(digest, str) or not is_digest(digest):
        raise unusable("a digest in the manifest is missing or invalid")
    if type(size) is not int or not 0 <= size < 2**63:  # JSON's true is an int to isinstance
        raise unusable("a size in the manifest is missing or invalid")
    return Descriptor(media_type, digest, size, _platform(entry), _text(entry, "artifactType"))


def _platform(entry: dict[str, object]) -> str | None:
    return platform(_object(entry["platform"])) if entry.get("platform") is not None else None


def _is_attestation(entry: dict[str, object]) -> bool:
    annotations = entry.get("annotations") or {}
    name, value = _ATTESTATION
    return _object(annotations).get(name) == value or _platform(entry) == "unknown/unknown"


def _list(content: dict[str, object], key: str) -> list[object]:
    value = content.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise unusable(f"{key} in the manifest is not a list")
    return value


def _text(entry: dict[str, object], key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) else None


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise unusable("the manifest has something else where an object belongs")
    return value
