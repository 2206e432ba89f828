"""Tables for people and lines for scripts."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from devreg.model.results import Repository, Tag
from devreg.output import console, tables

DIGEST = "sha256:" + "0123456789abcdef" * 4
FULL = Tag("app", "1.0", DIGEST, 1500, "2020-01-02T03:04:05Z", ("linux/amd64", "linux/arm64"), "x")
BROKEN = Tag("app", "2.0", error="it is gone")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], io.StringIO]:
    """Make stdout a terminal so many columns wide."""

    def make(width: int) -> io.StringIO:
        screen = io.StringIO()
        plain: Any = {"highlight": False, "markup": False, "emoji": False}  # as console.stdout() has them
        made = Console(file=screen, width=width, force_terminal=True, color_system=None, **plain)
        monkeypatch.setattr(console, "is_terminal", lambda: True)
        monkeypatch.setattr(console, "stdout", lambda: made)
        return screen

    return make


def test_lines_for_scripts_have_the_whole_digest_and_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    tables.tags([FULL])
    line = f"1.0\t{DIGEST}\t1500\t2020-01-02T03:04:05Z\tlinux/amd64,linux/arm64\n"
    assert capsys.readouterr() == (line, "")


def test_a_line_always_has_as_many_fields(capsys: pytest.CaptureFixture[str]) -> None:
    tables.tags([FULL, BROKEN, Tag("app", "empty", DIGEST, 0)])
    out = capsys.readouterr().out.splitlines()
    assert [line.count("\t") for line in out] == [4, 4, 4]
    assert out[2].split("\t")[2] == "0"


def test_nothing_is_nothing_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    tables.repositories([])
    tables.tags([])
    assert capsys.readouterr() == ("", "")


def test_repositories_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    tables.repositories([Repository("a/b"), Repository("c")])
    assert capsys.readouterr().out == "a/b\nc\n"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(terminal: Callable[[int], io.StringIO], width: int) -> None:
    screen = terminal(width)
    tables.tags([FULL, BROKEN, Tag("app", "n" * 128, DIGEST, 10**12, "2020-01-02T03:04:05Z", ("linux/arm64/v8",) * 6)])
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
    tables.repositories([Repository(name)])
    assert name in screen.getvalue().replace("\n", "").replace(" ", "")


def test_names_are_not_markup(terminal: Callable[[int], io.StringIO]) -> None:
    screen = terminal(80)
    tables.pairs([("users", "[bold]alice[/bold] :smile:")])
    assert "[bold]alice[/bold] :smile:" in screen.getvalue()


def test_an_empty_list_on_a_terminal_has_its_header(terminal: Callable[[int], io.StringIO]) -> None:
    screen = terminal(80)
    tables.tags([])
    assert "PLATFORMS" in screen.getvalue()
