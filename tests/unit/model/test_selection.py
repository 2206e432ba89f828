"""Which tags are shown, and in which order."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from devreg.actions.versions import version_key
from devreg.model.listing import Tag
from devreg.model.selection import matching, natural, select


def tag(name: str, created: str | None = None, size: int | None = None, error: str | None = None) -> Tag:
    return Tag("app", name, size=size, created=created and f"{created}T00:00:00Z", error=error)


def names(*tags: Tag, **choices: Any) -> list[str]:
    return [each.name for each in select(tags, version_key=version_key, **choices)]


DATED = [tag("b", "2024-01-01"), tag("a", "2024-03-01"), tag("c", "2024-02-01")]
UNDATED = [tag("x10"), tag("x9", "1970-01-01"), tag("gone", error="no longer there")]


def test_the_newest_come_first_and_those_without_a_date_last_by_name() -> None:
    assert names(*UNDATED, *DATED) == ["a", "c", "b", "gone", "x9", "x10"]


def test_turned_round_those_without_a_date_still_come_last() -> None:
    assert names(*UNDATED, *DATED, reverse=True) == ["b", "c", "a", "gone", "x9", "x10"]


@pytest.mark.parametrize("reverse", [False, True])
def test_of_one_date_it_goes_by_name(reverse: bool) -> None:
    same = [tag(name, "2024-01-01") for name in ("1.10", "1.9", "1.8")]
    assert names(*same, reverse=reverse) == ["1.8", "1.9", "1.10"]


def test_names_ascend_and_numbers_in_them_count() -> None:
    given = [tag(name) for name in ("b10", "b9", "a", "b", "B", "b09", "10", "9")]
    assert names(*given, sort="name") == ["9", "10", "B", "a", "b", "b09", "b9", "b10"]
    assert names(*given, sort="name", reverse=True)[0] == "b10"


def test_the_biggest_come_first() -> None:
    given = [tag("s", size=1), tag("schema1"), tag("l", size=3), tag("nothing", size=0)]
    assert names(*given, sort="size") == ["l", "s", "nothing", "schema1"]
    assert names(*given, sort="size", reverse=True) == ["nothing", "s", "l", "schema1"]


def test_the_highest_version_comes_first_and_what_is_none_last() -> None:
    given = [tag(each) for each in ("latest", "1.9", "1.10-rc.1", "v1.10", "1.9.5", "2-beta", "1", "main", "1.2.3.4")]
    highest_first = ["2-beta", "v1.10", "1.10-rc.1", "1.9.5", "1.9", "1"]
    assert names(*given, sort="semver") == [*highest_first, "1.2.3.4", "latest", "main"]
    assert names(*given, sort="semver", reverse=True) == [*highest_first[::-1], "1.2.3.4", "latest", "main"]


def test_since_leaves_out_the_older_and_those_without_a_date_but_nothing_that_could_not_be_read() -> None:
    february = datetime(2024, 2, 1, tzinfo=timezone.utc)
    assert names(*DATED, *UNDATED, since=february) == ["a", "c", "gone"]


def test_the_limit_counts_what_is_left_after_sorting() -> None:
    assert names(*DATED, limit=2) == ["a", "c"]
    assert names(*DATED, limit=9) == ["a", "c", "b"]


def test_a_repository_that_could_not_be_read_comes_last_by_name() -> None:
    assert names(tag(""), tag("a"), sort="name", reverse=True) == ["a", ""]
    assert names(tag(""), tag("a")) == ["a", ""]


def test_globs() -> None:
    assert list(matching(["1.0", "1.1", "v1", "A"], "1.*")) == ["1.0", "1.1"]
    assert list(matching(["a", "A"], "[a]")) == ["a"]
    assert list(matching(["a", "b"], None)) == ["a", "b"]


def test_numbers_too_long_for_int_are_compared_too() -> None:
    assert natural("a" + "9" * 5000) < natural("a1" + "0" * 5000)
    assert names(tag("9" * 5000), tag("1"), sort="semver") == ["1", "9" * 5000]


def test_the_order_of_tags() -> None:
    tags = ["latest", "1.10", "1.9", "v2", "v10", "1.9.1", "01.9", "20240101", "main", "", "²", "1" * 5000, "٣"]
    ordered = sorted(tags, key=natural)
    assert ordered.index("1.9") < ordered.index("1.9.1") < ordered.index("1.10")
    assert ordered.index("v2") < ordered.index("v10")
    assert ordered.index("1.10") < ordered.index("20240101") < ordered.index("1" * 5000)
