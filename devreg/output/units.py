"""Numbers and times for people."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from devreg.model.since import moment

_DAY = 86400  # seconds
_AGES = (
    (365 * _DAY, "year"),
    (30 * _DAY, "month"),
    (7 * _DAY, "week"),
    (_DAY, "day"),
    (3600, "hour"),
    (60, "minute"),
)
_HEX = re.compile(r"([0-9a-f]{12})[0-9a-f]{52,}")


def size(number: int | None) -> str:
    """Bytes in decimal units, as registries and `docker images` count: `42.3 MB`."""
    if number is None:
        return "-"
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if round(value, 1) < 1000:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def age(created: str | None, now: datetime | None = None) -> str:
    """How long ago a RFC 3339 time was: `3 weeks ago`. `-` where that says nothing, as 1970 does.

    Clocks differ a little; what is to be made in more than a day, as some build tools have it, is `in 4 years`.
    """
    then = moment(created)
    if then is None:
        return "-"
    seconds = ((now or datetime.now(timezone.utc)) - then).total_seconds()
    is_past = seconds >= -_DAY
    for length, unit in _AGES:
        if (seconds if is_past else -seconds) >= length:
            count = int(abs(seconds) // length)
            words = counted(count, unit)
            return f"{words} ago" if is_past else f"in {words}"
    return "just now"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 layer`, `2 layers`; `plural` where that is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def short_tag(tag: str) -> str:
    """A tag with the first 12 digits only of a digest in it: `sha256-0123456789ab….sig`, as cosign makes them."""
    return _HEX.sub(r"\1…", tag)


def short_digest(digest: str | None) -> str:
    """The first 12 hex digits, as `docker images` shows them."""
    return digest.partition(":")[2][:12] if digest else "-"
