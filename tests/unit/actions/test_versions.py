from __future__ import annotations

import pytest

from devreg.actions.versions import newest, version_key


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.9", "1.10"),
        ("v1.9", "1.9.1"),
        ("1.0-rc.1", "1.0"),
        ("1.0.0-alpha", "1.0.0-alpha.1"),
        ("1.0.0-rc.9", "1.0.0-rc.10"),
        ("9", "V10"),
        ("2024.05.09", "2024.5.10"),
        ("1.25-alpine", "1.25"),
    ],
)
def test_versions_in_their_order(lower: str, higher: str) -> None:
    assert version_key(lower) < version_key(higher)  # type: ignore[operator]  # both are versions


@pytest.mark.parametrize("other", ["1", "1.0", "v1.0.0", "1.0.0_build.7"])
def test_the_same_version(other: str) -> None:
    assert version_key("1.0.0") == version_key(other)


@pytest.mark.parametrize(
    "tag", ["latest", "", "v", "1.", "1.2.3.4", "1.0-", "1e10", "9" * 5000, "\u0661.\u0662", "1.0 ", "release-1"]
)
def test_no_version(tag: str) -> None:
    assert version_key(tag) is None


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["1.9", "1.10", "latest"], "1.10"),
        (["2.0-rc.1", "1.0"], "1.0"),
        (["2.0-rc.1", "2.0-rc.2", "nightly"], "2.0-rc.2"),
        (["1", "1.0.0", "1.0"], "1.0.0"),
        (["20240506", "1.2.0", "1234567", "v1.3.0"], "v1.3.0"),
        (["20240506", "2.0-rc.1"], "2.0-rc.1"),
        (["20240506", "20240507", "latest"], "20240507"),
        (["9", "10"], "10"),
        (["latest"], None),
        ([], None),
    ],
)
def test_the_newest(tags: list[str], expected: str | None) -> None:
    assert newest(tags) == expected
    assert newest(reversed(tags)) == expected
