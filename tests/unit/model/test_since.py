from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from devreg.model.errors import UsageError
from devreg.model.since import moment, since

NOW = datetime(2024, 5, 31, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
        ("0d", timedelta(0)),
    ],
)
def test_how_long_ago(text: str, ago: timedelta) -> None:
    assert since(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-05-30", datetime(2024, 5, 30, tzinfo=timezone.utc)),
        ("2024-05-30T01:02:03", datetime(2024, 5, 30, 1, 2, 3, tzinfo=timezone.utc)),
        ("2024-05-30 01:02:03Z", datetime(2024, 5, 30, 1, 2, 3, tzinfo=timezone.utc)),
        ("2024-05-30t01:02:03z", datetime(2024, 5, 30, 1, 2, 3, tzinfo=timezone.utc)),
        ("2024-05-30T01:02:03+02:00", datetime(2024, 5, 29, 23, 2, 3, tzinfo=timezone.utc)),
    ],
)
def test_a_date(text: str, time: datetime) -> None:
    assert since(text, NOW) == time


@pytest.mark.parametrize(
    "text", ["", "30", "d", "-1d", "1.5d", "30y", "2024-13-01", "2024-5-1", "yesterday", "999999999w", "٣d", "20240530"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        since(text, NOW)


@pytest.mark.parametrize("created", [None, "1970-01-01T00:00:00Z", "1970-12-31T23:59:59Z", "1969-01-01T00:00:00Z"])
def test_when_it_is_not_known_when_an_image_was_made(created: str | None) -> None:
    assert moment(created) is None


def test_when_it_is_known() -> None:
    assert moment("1980-01-01T00:00:01Z") == datetime(1980, 1, 1, 0, 0, 1, tzinfo=timezone.utc)
