from __future__ import annotations

import pytest

from devreg.model.imageconfig import created, platform


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-05-01T10:20:30Z", "2024-05-01T10:20:30Z"),
        ("2024-05-01T10:20:30.123456789Z", "2024-05-01T10:20:30Z"),
        ("2024-05-01t10:20:30.1z", "2024-05-01T10:20:30Z"),
        ("2024-05-01T01:20:30+02:30", "2024-04-30T22:50:30Z"),
        ("2024-12-31T23:20:30.5-01:00", "2025-01-01T00:20:30Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("2024-02-30T00:00:00Z", None),
        ("2024-05-01T25:00:00Z", None),
        ("2024-05-01T10:20:30", None),
        ("2024-05-01", None),
        ("٢٠٢٤-05-01T10:20:30Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1714558830, None),
        ({}, None),
    ],
)
def test_created(text: object, time: str | None) -> None:
    assert created({"created": text}) == time


def test_created_absent() -> None:
    assert created({}) is None


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ({"os": "linux", "architecture": "amd64"}, "linux/amd64"),
        ({"os": "linux", "architecture": "arm64", "variant": "v8"}, "linux/arm64/v8"),
        ({"os": "linux", "architecture": "amd64", "variant": ""}, "linux/amd64"),
        ({"os": "linux", "architecture": "amd64", "variant": 8}, None),
        ({"os": "", "architecture": ""}, None),
        ({"architecture": "amd64", "variant": "v1"}, None),
        ({"os": "linux\x1b[2J", "architecture": "amd64"}, None),
        ({}, None),
    ],
)
def test_platform(description: dict[str, object], text: str | None) -> None:
    assert platform(description) == text
