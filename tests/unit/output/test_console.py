"""Words from elsewhere do nothing to the terminal, and can always be written."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from devreg.output import console
from devreg.output.console import inert


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("app/1.0-é 日本", "app/1.0-é 日本"),
        ("[red]x[/red] :smile:", "[red]x[/red] :smile:"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\r\nb\tc\x7f", r"a\r\nb\tc\x7f"),
        ("txt\u202egpj\u2066", r"txt\u202egpj\u2066"),
        ("\u061c\u200f\u2028\ufeff\U000e0041", r"\u061c\u200f\u2028\ufeff\U000e0041"),
        ("\udcff", r"\udcff"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_written_as_python_writes_it(text: str, shown: str) -> None:
    assert inert(text) == shown


def test_line_ends_may_be_kept() -> None:
    assert inert("a\n\tb\r\x1b", keep="\t\n") == "a\n\tb\\r\\x1b"


def test_results_and_notes_are_inert_and_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    console.result("a\tb\n\x1b[2J")
    console.note("-old\n+new\x07")
    assert capsys.readouterr() == ("a\tb\n\\x1b[2J\n", "-old\n+new\\x07\n")


def test_a_failure_has_no_lines_that_pass_for_others(capsys: pytest.CaptureFixture[str]) -> None:
    console.failure("refused\n  next: run me\x1b[8m", "this")
    assert capsys.readouterr().err == "devreg: refused\n      next: run me\\x1b[8m\n  next: this\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_the_encoding_lacks_is_escaped_also_in_tables(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding, errors="strict"))
    console.result("é 日 \udc80")
    sys.stdout.flush()
    expected = {"ascii": rb"\xe9 \u65e5 \udc80", "latin-1": b"\xe9 \\u65e5 \\udc80"}
    assert raw.getvalue().rstrip() == expected.get(encoding, "é 日 \\udc80".encode())


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_no_locale_breaks_a_table(locale: str) -> None:
    script = """
from devreg.model.listing import Tag
from devreg.output import console, tables
tag = Tag("app", "caf\\xe9\\udcff", "sha256:" + "0" * 64, 1, None, ("linux/\\u65e5",), also=("x" * 70,))
tables.tags([tag])
console.is_terminal = lambda: True
tables.tags([tag, Tag("app", "b", error="n\\xf6")])
tables.pairs([("\\u202e", "\\xe9")])
"""
    environment = {**os.environ, "LC_ALL": locale, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(r"caf\xe9\udcff")
