"""Columns that fit."""

from __future__ import annotations

import pytest

from devreg.output.columns import Column, Row, aligned, fitted, some_of

COLUMNS = [Column("NAME", "cyan", least=6), Column("SIZE", right=True), Column("LIST", least=8), Column("END", least=4)]


def shown(rows: list[Row], width: int) -> list[str]:
    """The lines below the titles and the rule."""
    return ["".join(text for text, _ in line).rstrip() for line in fitted(COLUMNS, rows, width)][2:]


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    rows = [Row(("a", "10 kB", ("x", "y"), "-")), Row(("long", "1 B", (), ("z",)))]
    assert shown(rows, 80) == [
        "a     10 kB  x, y  -",
        "long    1 B  -     z",
    ]


def test_the_titles_and_a_rule_come_first() -> None:
    lines = list(fitted(COLUMNS, [Row(("a", "1 B", "b", "c"))], 80))
    assert lines[:2] == [[("NAME  SIZE  LIST  END", "bold")], [("─" * 21, "dim")]]


def test_a_name_too_long_for_its_column_has_a_line_of_its_own() -> None:
    rows = [Row(("n" * 30, "1 B", ("xxxx",), "e")), Row(("ok", "1 B", ("xxxx",), "e"))]
    assert shown(rows, 25) == [
        "n" * 25,
        "nnnnn",
        "       1 B  xxxx  e",
        "ok     1 B  xxxx  e",
    ]


def test_the_fewest_cells_are_folded() -> None:
    """One long name does not keep all that stands at the end from its room."""
    long, short = Row(("n" * 12, "1 B", "-", "x")), Row(("ok", "1 B", "-", "a longer reason"))
    assert shown([long, short, short], 36) == [
        "n" * 12,
        "       1 B  -     x",
        *["ok     1 B  -     a longer reason"] * 2,
    ]
    assert shown([long, long, short], 36) == [
        *["nnnnnnnnnnnn   1 B  -     x"] * 2,
        "ok             1 B  -     a longer",
        "                          reason",
    ]


def test_what_is_too_long_at_the_end_is_folded_where_its_column_starts() -> None:
    lines = shown([Row(("a", "1 B", "folded", "and more of them"))], 31)
    assert lines == ["a      1 B  folded  and more of", "                    them"]


def test_what_is_wrong_takes_the_place_of_the_cells_that_are_missing() -> None:
    lines = shown([Row(("a",), "it is not there any more, alas"), Row(("b", "1 B", ("x",), "e"))], 26)
    assert lines == ["a     it is not there any", "      more, alas", "b      1 B  x     e"]


def test_what_is_wrong_with_a_whole_row_stands_below() -> None:
    assert shown([Row(("a", "1 B", ("x",), "e"), "only half")], 40) == ["a      1 B  x     e", "  only half"]


def test_columns_for_which_there_is_no_room_are_left_out_from_the_end() -> None:
    rows = [Row(("a", "1 B", tuple("xyz"), tuple("efg")))]
    assert shown(rows, 27) == ["a      1 B  x, y, z  e, +2"]
    assert shown(rows, 24) == ["a      1 B  x, y, z"]
    assert shown(rows, 10) == ["a      1 B"]


@pytest.mark.parametrize(
    ("room", "text"),
    [
        (20, "amd64, arm64, s390x"),
        (19, "amd64, arm64, s390x"),
        (18, "amd64, arm64, +1"),
        (15, "amd64, +2"),
        (8, "amd…, +2"),
        (4, "+3"),
    ],
)
def test_as_many_names_as_there_is_room_for(room: int, text: str) -> None:
    assert some_of(("amd64", "arm64", "s390x"), room) == text


def test_a_single_name_is_cut() -> None:
    assert some_of(("nightly-2024",), 8) == "nightly…"
    assert some_of((), 8) == "-"


def test_lines_for_scripts_are_aligned_whatever_is_at_the_end() -> None:
    assert list(aligned([["a", "12", "x"], ["bcd", "1"], ["e"]])) == ["a    12  x", "bcd  1", "e"]
    assert list(aligned([])) == []


def test_a_name_that_no_registry_may_have_does_not_pad_all_lines() -> None:
    short, _ = aligned([["a", "b"], ["x" * 100_000, "b"]])
    assert len(short) < 400


def test_a_word_of_megabytes_is_cut() -> None:
    lines = shown([Row(("x" * 8_000_000, "1 B"))], 80)
    assert len(lines) < 200
    assert any(line.endswith("…") for line in lines)
