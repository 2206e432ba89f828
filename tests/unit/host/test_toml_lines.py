"""The line of a key, whatever the file looks like: compared with the lines that the text was put together from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.host.toml_lines import first_clash, line_of, statements

Path = tuple[str | int, ...]

VALUES = (
    '"text"',
    "'''\nkey = 1\n[no.header]\n'''",
    "[1, 2]",
    "[\n  1, # ]\n\n  2,\n]",
    "{ a = 1 }",
    "true",
    '"""a\\\n  b"""',
)
NOISE = ("", "# a = 1\n", "\n\n", "\t# [[registries]]\r\n", "# ü\u2028 b = 2\n")
noise, value = st.sampled_from(NOISE), st.sampled_from(VALUES)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, dict[Path, int]]:
    """A TOML text, and the line of each key in it."""
    text, lines = "", dict[Path, int]()

    def add(path: Path, statement: str) -> None:
        nonlocal text
        text += draw(noise)
        lines[path] = text.count("\n") + 1
        text += statement + draw(st.sampled_from(["\n", "  # end\n", "\r\n"]))

    for number in range(draw(st.integers(0, 3))):
        add((f"top{number}",), f"top{number} = {draw(value)}")
    for number in range(draw(st.integers(0, 3))):
        add(("registries", number), "[[registries]]")
        for key in draw(st.sets(st.sampled_from(["address", "trust", "x.y"]))):
            dotted = tuple(key.split("."))
            add(("registries", number, *dotted), f"{key} = {draw(value)}")
        if draw(st.booleans()):
            add((f"between{number}",), f"[between{number}]")
    return text, lines


@given(texts())
def test_the_line_of_every_key(made: tuple[str, dict[Path, int]]) -> None:
    text, lines = made
    assert {path: line_of(text, path) for path in lines} == lines


@given(texts())
def test_statements_are_the_text(made: tuple[str, dict[Path, int]]) -> None:
    text, _ = made
    parts = list(statements(text))
    assert "".join(part for _, part in parts) == text
    assert [first for first, _ in parts] == [
        1 + "".join(part for _, part in parts[:number]).count("\n") for number in range(len(parts))
    ]


@pytest.mark.parametrize(
    ("path", "line"),
    [(("pull",), 2), (("pull", 0), 3), (("pull", 1), 5), (("pull", 2), 6), (("pull", 2, "b"), 7), (("pull", 3), 9)],
)
def test_the_line_of_an_item_in_a_list_of_several_lines(path: Path, line: int) -> None:
    text = '# first\npull = [ # "c"\n  "a",\n\n  "b",\n  { a = 1,\n    b = 2 },\n  # no\n  "c" ]\n'
    assert line_of(text, path) == line


def test_what_is_not_there_is_in_line_one() -> None:
    assert line_of("a = 1\nb = 2\n", ("c",)) == 1
    assert line_of("\n\n", ()) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = 2\na = 3\nc = 4\n", 3),
        ("[x]\n[y]\n\n[x]\nz = 1\n", 4),
        ("[[r]]\nx = 1\nx = 2\ny = 3\n", 3),
        ("a = 1\na = [\n", None),
        ("a = 1\nb = 2\n", None),
    ],
)
def test_the_statement_that_clashes(text: str, line: int | None) -> None:
    assert first_clash(text) == line
