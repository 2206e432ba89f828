"""Image manifests of before 2016 (Docker image manifest v2, schema 1): layers have no sizes, the config is a text."""

from __future__ import annotations

import json
from collections.abc import Mapping

from devreg.model.wire import is_digest, unusable


def layers(manifest: Mapping[str, object]) -> tuple[str, ...]:
    """The digests of the layers, the lowest first, as other manifests have them; also of those that are empty."""
    found = [each.get("blobSum") for each in _objects(manifest, "fsLayers")]
    digests = [digest for digest in found if isinstance(digest, str) and is_digest(digest)]
    if len(digests) != len(found):
        raise unusable("a digest in the manifest is missing or invalid")
    return tuple(reversed(digests))


def config(manifest: Mapping[str, object]) -> dict[str, object]:
    """What the manifest says of the image, in the form of an image's config: with a step of history for each layer."""
    steps = [_v1(each) for each in _objects(manifest, "history")]
    top = steps[0] if steps else {}
    history = [{"created": step.get("created"), "created_by": _made_by(step)} for step in reversed(steps)]
    return {**top, "architecture": top.get("architecture") or manifest.get("architecture"), "history": history}


def _made_by(step: Mapping[str, object]) -> str:
    """The instruction that a step ran: `container_config.Cmd`, joined."""
    container = step.get("container_config")
    words = container.get("Cmd") if isinstance(container, dict) else None
    return " ".join(word for word in words if isinstance(word, str)) if isinstance(words, list) else ""


def _v1(entry: Mapping[str, object]) -> dict[str, object]:
    """The JSON text within the JSON. It is no config, so what cannot be read says nothing."""
    text = entry.get("v1Compatibility")
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _objects(manifest: Mapping[str, object], key: str) -> list[dict[str, object]]:
    value = manifest.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise unusable(f"{key} in the manifest is not a list of objects")
    return value
