"""Image manifests of before 2016 (Docker image manifest v2, schema 1): layers have no sizes."""

from __future__ import annotations

from collections.abc import Mapping

from devreg.model.wire import is_digest, unusable


def layers(manifest: Mapping[str, object]) -> tuple[str, ...]:
    """The digests of the layers, the lowest first, as other manifests have them; also of those that are empty."""
    found = [each.get("blobSum") for each in _objects(manifest, "fsLayers")]
    digests = [digest for digest in found if isinstance(digest, str) and is_digest(digest)]
    if len(digests) != len(found):
        raise unusable("a digest in the manifest is missing or invalid")
    return tuple(reversed(digests))


def _objects(manifest: Mapping[str, object], key: str) -> list[dict[str, object]]:
    value = manifest.get(key)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise unusable(f"{key} in the manifest is not a list of objects")
    return value
