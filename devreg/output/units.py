"""Numbers and times for people."""

from __future__ import annotations

from datetime import datetime, timezone

from devreg.model.since import moment

_AGES = (
    (365 * 86400, "year"),
    (30 * 86400, "month"),
    (7 * 86400, "week"),
    (86400, "day"),
    (3600, "hour"),
    (60, "minute"),
)


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
    """How long ago a RFC 3339 time was: `3 weeks ago`. `-` where that says nothing, as 1970 does."""
    then = moment(created)
    if then is None:
        return "-"
    seconds = ((now or datetime.now(timezone.utc)) - then).total_seconds()
    if seconds < 60:
        return "just now"
    for length, unit in _AGES:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count != 1 else ''} ago"
    return "just now"


def short_digest(digest: str | None) -> str:
    """The first 12 hex digits, as `docker images` shows them."""
    return digest.partition(":")[2][:12] if digest else "-"
