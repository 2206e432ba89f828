"""What `inspect` tells of a reference, by its manifest and its config. Field names are keys of the JSON contract.

Sizes in bytes; times RFC 3339 UTC. Texts are whatever the registry says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from devreg.model import schema1
from devreg.model.history import instructions
from devreg.model.imageconfig import created, platform
from devreg.model.manifest import Descriptor, Kind, Manifest

_ABOUT = "vnd.docker.reference.digest"
"""BuildKit's annotation of an attestation in an index."""


@dataclass(frozen=True)
class Layer:
    """A layer of an image. `size`: None in schema 1. `instruction`: what made it; None where no history tells."""

    digest: str
    size: int | None
    media_type: str
    instruction: str | None = None


@dataclass(frozen=True)
class Image:
    """One platform's image. `size`: of its layers and its config, as the registry stores them; None for schema 1.

    `healthcheck`: as the config has it: `CMD` and a program's words, `CMD-SHELL` and a line, or `NONE`. `error`: why
    the config could not be read; then only the layers are known.
    """

    digest: str
    platform: str | None
    size: int | None
    created: str | None
    layers: tuple[Layer, ...]
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    workdir: str | None = None
    user: str | None = None
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    healthcheck: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Entry:
    """What an index names, or what refers to a manifest. `size`: of its manifest, or of the blob.

    `content_size`: of an image's layers and config; None where its manifest was not read, and `error` says why if it
    could not be. `artifact_type`: what a referrer is. `subject`: the digest of the image that an attestation is about.
    """

    digest: str
    size: int
    media_type: str
    platform: str | None = None
    content_size: int | None = None
    artifact_type: str | None = None
    error: str | None = None
    subject: str | None = None


@dataclass(frozen=True)
class Inspected:
    """What a reference stands for. `manifest_size`: of the manifest itself.

    `size`: of layers and configs, of all platforms; None where some are unknown. `artifact_type`: what an artifact is.
    `image`: of the platform that was asked for, else of this machine's, else of the first one that is there, as
    `chosen` tells; None for what is no image. `platforms`, `attestations`: an index's; what an index within it names is
    among its platforms. `referrers`: None where the registry tells of none. `blobs`: what an artifact consists of.
    """

    reference: str
    digest: str
    media_type: str
    kind: Kind
    manifest_size: int
    image: Image | None
    platforms: tuple[Entry, ...] = ()
    attestations: tuple[Entry, ...] = ()
    referrers: tuple[Entry, ...] | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    blobs: tuple[Entry, ...] = ()
    size: int | None = None
    chosen: Literal["asked", "machine", "first"] | None = None
    artifact_type: str | None = None


def image(manifest: Manifest, config: Mapping[str, object], error: str | None = None) -> Image:
    """An image, by its manifest and its config, which is {} where it could not be read."""
    made_by = instructions(config.get("history"), len(manifest.layers))
    layers = [
        Layer(layer.digest, layer.size, layer.media_type, step)
        for layer, step in zip(manifest.layers, made_by, strict=True)
    ]
    return _image(manifest.digest, manifest.content_size, layers, config, error)


def old_image(manifest: Manifest, content: Mapping[str, object]) -> Image:
    """A schema 1 image, by what is in its manifest."""
    config, digests = schema1.config(content), schema1.layers(content)
    made_by = instructions(config.get("history"), len(digests))
    layers = [Layer(digest, None, "", step) for digest, step in zip(digests, made_by, strict=True)]
    return _image(manifest.digest, None, layers, config, None)


def entry(descriptor: Descriptor) -> Entry:
    """A descriptor, as it is shown."""
    its = descriptor
    return Entry(its.digest, its.size, its.media_type, its.platform, artifact_type=its.artifact_type)


def attestations(index: Manifest, content: Mapping[str, object], images: Sequence[Entry]) -> tuple[Entry, ...]:
    """The attestations of an index, by its JSON, each with the platform of the image that it is about."""
    named = content.get("manifests")
    entries = [each for each in named if isinstance(each, dict)] if isinstance(named, list) else []
    about = {each.get("digest"): _text(_mapping(each.get("annotations")).get(_ABOUT)) for each in entries}
    platforms: dict[str | None, str | None] = {each.digest: each.platform for each in images}
    return tuple(
        Entry(its.digest, its.size, its.media_type, platforms.get(subject := about.get(its.digest)), subject=subject)
        for its in index.attestations
    )


def texts_by_name(value: object) -> dict[str, str]:
    """Labels or annotations, without what is no text."""
    return {name: text for name, text in _mapping(value).items() if isinstance(text, str)}


def _image(
    digest: str, size: int | None, layers: Sequence[Layer], config: Mapping[str, object], error: str | None
) -> Image:
    runs = _mapping(config.get("config"))
    return Image(
        digest=digest,
        platform=platform(config),
        size=size,
        created=created(config),
        layers=tuple(layers),
        env=_texts(runs.get("Env")),
        entrypoint=_texts(runs.get("Entrypoint")),
        cmd=_texts(runs.get("Cmd")),
        workdir=_text(runs.get("WorkingDir")),
        user=_text(runs.get("User")),
        ports=tuple(_mapping(runs.get("ExposedPorts"))),
        volumes=tuple(_mapping(runs.get("Volumes"))),
        stop_signal=_text(runs.get("StopSignal")),
        labels=texts_by_name(runs.get("Labels")),
        healthcheck=_texts(_mapping(runs.get("Healthcheck")).get("Test")),
        error=error,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
