"""What an image's config blob says of it (OCI image-spec, config.md), and a manifest's annotations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)


def created(config: Mapping[str, object]) -> str | None:
    """When the image was made, as `YYYY-MM-DDTHH:MM:SSZ`; None when it is absent, invalid or Go's zero time.

    1970 is kept: reproducible builds mean it.
    """
    return _time(config.get("created"))


def annotated(manifest: Mapping[str, object]) -> str | None:
    """The same, as the annotation of a manifest has it (OCI image-spec, annotations.md)."""
    annotations = manifest.get("annotations")
    return _time(annotations.get("org.opencontainers.image.created")) if isinstance(annotations, dict) else None


def diff_ids(config: Mapping[str, object]) -> tuple[str, ...]:
    """The digests of the layers' tars, from the lowest on; () where they make no sense."""
    rootfs = config.get("rootfs")
    found = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()


def platform(description: Mapping[str, object]) -> str | None:
    """`os/architecture[/variant]` of a config or of a descriptor's `platform`; None when that makes no sense."""
    words = [description.get("os"), description.get("architecture"), description.get("variant") or None]
    given = [word for word in words if word is not None]
    if len(given) < 2 or words[0] is None or words[1] is None:
        return None
    texts = [word for word in given if isinstance(word, str) and _WORD.fullmatch(word)]
    return "/".join(texts) if len(texts) == len(given) else None


def _time(value: object) -> str | None:
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    sign = -1 if match[3] == "-" else 1
    try:
        local = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=timezone.utc)
        time = local - sign * timedelta(hours=int(match[4] or 0), minutes=int(match[5] or 0))
    except (ValueError, OverflowError):
        return None
    return None if time.year == 1 else f"{time:%Y-%m-%dT%H:%M:%S}Z"
