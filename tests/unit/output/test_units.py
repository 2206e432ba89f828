from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from devreg.output.units import age, counted, short_digest, size

NOW = datetime(2024, 5, 6, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (42_300_000, "42.3 MB"),
        (5_000_000_000, "5.0 GB"),
        (7_200_000_000_000, "7.2 TB"),
        (9_000_000_000_000_000, "9000.0 TB"),
        (999_990, "1.0 MB"),
        (999_999_999, "1.0 GB"),
    ],
)
def test_sizes(number: int | None, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=6), "6 days ago"),
        (timedelta(days=7), "1 week ago"),
        (timedelta(days=29), "4 weeks ago"),
        (timedelta(days=60), "2 months ago"),
        (timedelta(days=364), "12 months ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(hours=-23), "just now"),
        (timedelta(days=-5), "in 5 days"),
        (timedelta(days=-1500), "in 4 years"),
    ],
)
def test_ages(ago: timedelta, text: str) -> None:
    assert age((NOW - ago).strftime("%Y-%m-%dT%H:%M:%SZ"), NOW) == text


@pytest.mark.parametrize("created", [None, "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_an_unknown_age(created: str | None) -> None:
    assert age(created, NOW) == "-"


def test_digests_are_shortened_as_docker_shortens_them() -> None:
    assert short_digest("sha256:" + "0123456789abcdef" * 4) == "0123456789ab"
    assert short_digest(None) == "-"


def test_a_number_of_things() -> None:
    assert counted(1, "layer") == "1 layer"
    assert counted(0, "layer") == "0 layers"
    assert counted(2, "repository", "repositories") == "2 repositories"
