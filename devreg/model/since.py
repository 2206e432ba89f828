"""Points in time: those that images tell, and those that a person means."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from devreg.model.errors import UsageError

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,9})([mhdw])", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:Z|z|[+-]\d\d:\d\d)?)?", re.ASCII)


def moment(created: str | None) -> datetime | None:
    """When an image was made, of a RFC 3339 time. None where nobody knows: reproducible builds say 1970, or nothing."""
    if created is None:
        return None
    time = datetime.fromisoformat(created.replace("Z", "+00:00"))
    return time if time.year > 1970 else None


def since(text: str, now: datetime) -> datetime:
    """The time that `30d`, `12h`, `2w` or `90m` before `now` was, or that a RFC 3339 date or time says; UTC by default.

    Raises UsageError for anything else.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if _DATE.fullmatch(text):
            time = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
            return time if time.tzinfo else time.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"{text!r} is no time", hint="write 90m, 12h, 30d, 2w or a date such as 2024-05-31")
