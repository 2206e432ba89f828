"""Tables for people and lines for scripts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from devreg.model.listing import Repository, Tag
from devreg.output import tables

DIGEST = "sha256:" + "0123456789abcdef" * 4
FULL = Tag(
    "app",
    "1.0",
    DIGEST,
    1500,
    "2020-01-02T03:04:05Z",
    ("linux/amd64", "linux/arm64"),
    "x",
    None,
    "image",
    ("latest", "1"),
    2,
)
BROKEN = Tag("app", "2.0", error="it is gone")
MANY = tuple(f"linux/{each}" for each in ("amd64", "arm64/v8", "arm/v7", "386", *(f"other{n}" for n in range(8))))
HARD = [
    Tag("team/app", "n" * 128, DIGEST, 10**12, "2020-01-02T03:04:05Z", MANY, also=tuple(f"t{n}" for n in range(20))),
    Tag("team/app", "gone", error="the registry says more than fits into a line of eighty columns, and then some more"),
]


def test_lines_for_scripts_have_the_whole_digest_and_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    tables.tags([FULL])
    line = f"1.0  {DIGEST}  1500  2020-01-02T03:04:05Z  linux/amd64,linux/arm64  image  2  latest,1\n"
    assert capsys.readouterr() == (line, "")


def test_lines_for_scripts_are_aligned_and_what_is_empty_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    tables.tags([FULL, BROKEN, Tag("app", "empty", DIGEST, 0)])
    out = capsys.readouterr().out.splitlines()
    assert {out[0].index("image"), out[1].index("error")} == {out[0].index("image")}
    assert [line.split()[:6] for line in out[1:]] == [
        ["2.0", "-", "-", "-", "-", "error"],
        ["empty", DIGEST, "0", "-", "-", "-"],
    ]
    assert out[1].endswith("  error  it is gone")


def test_the_repository_comes_first_where_there_are_several(capsys: pytest.CaptureFixture[str]) -> None:
    tables.tags([FULL, Tag("no/app", "", error="not known")], with_repository=True)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines] == [["app", "1.0"], ["no/app", "-"]]


def test_no_word_for_scripts_has_a_space_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    tables.tags([Tag("app", "a b\tc", DIGEST, 1, platforms=("x y",), also=("d e",))])
    assert capsys.readouterr().out.split()[0] == r"a\x20b\tc"
    tables.tags([Tag("app", "a b\tc", DIGEST, 1, platforms=("x y",), also=("d e",))])
    assert len(capsys.readouterr().out.split()) == 8


def test_nothing_is_nothing_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    tables.names([])
    tables.repositories([])
    tables.tags([])
    assert capsys.readouterr() == ("", "")


def test_names_are_printed_when_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    def coming() -> Iterator[Repository]:
        yield Repository("a/b")
        assert capsys.readouterr().out == "a/b\n"
        yield Repository("c\x1b[2J")

    tables.names(coming())
    assert capsys.readouterr().out == "c\\x1b[2J\n"


REPOSITORIES = [
    Repository("a/b", 12, 1500, "2020-01-02T03:04:05Z"),
    Repository("empty", 0, 0),
    Repository("half", 3, 1, None, "1 of 3 tags cannot be read: it is gone"),
    Repository("closed", error="you may not see it"),
]


def test_repositories_with_details_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    tables.repositories(REPOSITORIES)
    assert capsys.readouterr().out.splitlines() == [
        "a/b     12  1500  2020-01-02T03:04:05Z",
        "empty   0   0     -",
        "half    3   1     -                     1 of 3 tags cannot be read: it is gone",
        "closed  -   -     -                     you may not see it",
    ]


def test_repositories_with_details_for_people(terminal: Callable[[int], io.StringIO]) -> None:
    screen = terminal(80)
    tables.repositories(REPOSITORIES)
    lines = screen.getvalue().splitlines()
    assert lines[0] == "REPOSITORY  TAGS    SIZE  UPDATED"
    assert lines[2].startswith("a/b           12  1.5 kB  ")
    assert lines[3] == "empty          0     0 B  -"
    assert lines[5] == "  1 of 3 tags cannot be read: it is gone"
    assert lines[6] == "closed      you may not see it"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(terminal: Callable[[int], io.StringIO], width: int) -> None:
    screen = terminal(width)
    for with_repository in (False, True):
        tables.tags([FULL, BROKEN, *HARD], with_repository=with_repository)
    tables.repositories([*REPOSITORIES, Repository("r" * 255, 10**6, 10**15, None, "why " * 40)])
    tables.triples(("A", "B", "C"), [("x" * 90, "y" * 90, "z" * 90)])
    tables.pairs([("name", "v" * 200)])
    assert max(map(len, screen.getvalue().splitlines())) <= width


def test_people_see_short_digests_units_and_errors(terminal: Callable[[int], io.StringIO]) -> None:
    screen = terminal(100)
    tables.tags([FULL, BROKEN])
    text = screen.getvalue()
    assert "0123456789ab " in text
    assert DIGEST not in text
    assert "1.5 kB" in text
    assert "years ago" in text
    assert "linux/amd64, linux/arm64" in text
    assert "it is gone" in text


def test_a_name_is_folded_and_never_cut(terminal: Callable[[int], io.StringIO]) -> None:
    screen = terminal(40)
    name = "".join(chr(ord("a") + index % 26) for index in range(100))
    tables.tags([Tag("app", name, DIGEST)])
    assert name in screen.getvalue().replace("\n", "").replace(" ", "")


def test_many_platforms_and_tags_are_shortened(terminal: Callable[[int], io.StringIO]) -> None:
    screen = terminal(80)
    tables.tags(HARD)
    lines = screen.getvalue().splitlines()
    assert lines[4].endswith("  amd64, arm64/v8, arm/v7, +9  t0, +19")
    assert len(lines[4]) <= 80


def test_linux_goes_without_saying_only_where_there_is_no_room(terminal: Callable[[int], io.StringIO]) -> None:
    two = [FULL, FULL]
    for width, shown in ((120, "  linux/amd64, linux/arm64  "), (80, "  amd64, arm64  ")):
        screen = terminal(width)
        tables.tags(two)
        assert shown in screen.getvalue().splitlines()[2]


@pytest.mark.parametrize(
    ("kind", "platforms", "shown"),
    [
        ("schema1", (), "schema 1"),
        ("schema1", ("linux/amd64",), "schema 1"),
        ("artifact", (), "artifact"),
        ("image", (), "-"),
        ("index", ("linux/amd64",), "linux/amd64"),
    ],
)
def test_what_is_no_image_says_so(
    terminal: Callable[[int], io.StringIO], kind: Any, platforms: tuple[str, ...], shown: str
) -> None:
    screen = terminal(80)
    tables.tags([Tag("app", "x", DIGEST, None, "1970-01-01T00:00:00Z", platforms, kind=kind)])
    assert screen.getvalue().splitlines()[2] == f"x    0123456789ab     -  -        {shown}"


def test_columns_with_nothing_in_them_are_left_out(terminal: Callable[[int], io.StringIO]) -> None:
    screen = terminal(200)
    tables.tags([Tag("app", "x", DIGEST, referrers=0)])
    assert screen.getvalue().splitlines()[0] == "TAG  DIGEST        SIZE  CREATED  PLATFORMS"
    tables.tags([FULL], with_repository=True)
    header = screen.getvalue().splitlines()[3].split()
    assert header == ["REPOSITORY", "TAG", "DIGEST", "SIZE", "CREATED", "PLATFORMS", "REFS", "ALSO"]


def test_every_cell_is_inert(terminal: Callable[[int], io.StringIO]) -> None:
    evil = "[red]\x1b]0;x\x07\u202e\n\udcff"
    screen = terminal(200)
    tables.tags(
        [Tag(evil, evil, DIGEST, 1, None, (evil,), also=(evil,)), Tag("a", evil, error=evil)], with_repository=True
    )
    tables.repositories([Repository(evil, 1, error=evil), Repository(evil, error=evil)])
    tables.names([])
    tables.pairs([(evil, evil)])
    tables.triples(("A", "B", "C"), [(evil, evil, evil)])
    written = screen.getvalue()
    assert written.replace("\n", "").isprintable()
    assert written.count(r"[red]\x1b]0;x\x07\u202e\n\udcff") == 15


def test_names_are_not_markup(terminal: Callable[[int], io.StringIO]) -> None:
    screen = terminal(80)
    tables.pairs([("users", "[bold]alice[/bold] :smile:")])
    assert "[bold]alice[/bold] :smile:" in screen.getvalue()


def test_an_empty_list_on_a_terminal_has_its_header(terminal: Callable[[int], io.StringIO]) -> None:
    screen = terminal(80)
    tables.tags([])
    tables.repositories([])
    assert "PLATFORMS" in screen.getvalue()
