"""What `inspect` tells of a reference, by its manifest and its config. Field names are keys of the JSON contract.

Sizes in bytes; times RFC 3339 UTC. Texts are whatever the registry says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from devreg.model.imageconfig import created, platform
from devreg.model.manifest import Descriptor, Kind, Manifest

_SHELL = re.compile(r"(?:RUN )?/bin/sh -c ")
_NO_RUN = re.compile(r"/bin/sh -c #\(nop\) +")
_BUILDKIT = re.compile(r" # buildkit$")


@dataclass(frozen=True)
class Layer:
    """A layer of an image. `instruction`: what made it; None where the history does not tell."""

    digest: str
    size: int
    media_type: str
    instruction: str | None = None


@dataclass(frozen=True)
class Image:
    """One platform's image. `size`: of its layers and its config, as the registry stores them."""

    digest: str
    platform: str | None
    size: int
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


@dataclass(frozen=True)
class Entry:
    """What an index names, or what refers to a manifest."""

    digest: str
    size: int
    media_type: str
    platform: str | None = None


@dataclass(frozen=True)
class Inspected:
    """What a reference stands for. `manifest_size`: of the manifest itself.

    `image`: of the platform that was asked for, else of the first one that is there; None for what is no image.
    `platforms`, `attestations`: an index's. `referrers`: None where the registry has no list of them.
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


def image(manifest: Manifest, config: Mapping[str, object]) -> Image:
    """An image, by its manifest and its config."""
    told = config.get("config")
    runs = told if isinstance(told, dict) else {}
    instructions = _instructions(config.get("history"), len(manifest.layers))
    return Image(
        digest=manifest.digest,
        platform=platform(config),
        size=manifest.content_size or 0,
        created=created(config),
        layers=tuple(
            Layer(layer.digest, layer.size, layer.media_type, instruction)
            for layer, instruction in zip(manifest.layers, instructions, strict=True)
        ),
        env=_texts(runs.get("Env")),
        entrypoint=_texts(runs.get("Entrypoint")),
        cmd=_texts(runs.get("Cmd")),
        workdir=_text(runs.get("WorkingDir")),
        user=_text(runs.get("User")),
        ports=tuple(_mapping(runs.get("ExposedPorts"))),
        volumes=tuple(_mapping(runs.get("Volumes"))),
        stop_signal=_text(runs.get("StopSignal")),
        labels=texts_by_name(runs.get("Labels")),
    )


def entry(descriptor: Descriptor) -> Entry:
    """A descriptor, as it is shown."""
    return Entry(descriptor.digest, descriptor.size, descriptor.media_type, descriptor.platform)


def texts_by_name(value: object) -> dict[str, str]:
    """Labels or annotations, without what is no text."""
    return {name: text for name, text in _mapping(value).items() if isinstance(text, str)}


def _instructions(history: object, layers: int) -> Sequence[str | None]:
    """What made each layer. A history that tells of more or fewer layers than there are tells nothing."""
    steps = [step for step in history if isinstance(step, dict)] if isinstance(history, list) else []
    made = [_text(step.get("created_by")) for step in steps if not step.get("empty_layer")]
    if len(made) != layers:
        return [None] * layers
    return [None if step is None else _cleaned(step) for step in made]


def _cleaned(step: str) -> str:
    """An instruction as it stood in the Dockerfile, without what builders put around it."""
    step = _BUILDKIT.sub("", step.strip())
    if found := _NO_RUN.match(step):
        return step[found.end() :]
    if found := _SHELL.match(step):
        return f"RUN {step[found.end() :]}"
    return step


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
