"""Units are read as systemd 252 reads the same text, going by `systemd --test`; but an escaped tab is a blank here."""

from __future__ import annotations

from pathlib import Path

import pytest

from devreg.host.unit_syntax import service_lines, words


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    return tmp_path / "docker.service"


def settings(unit: Path, content: bytes) -> list[tuple[int, str, str]]:
    unit.write_bytes(content)
    return [(line.number, key, value) for key, value, line in service_lines(unit)]


@pytest.mark.parametrize(
    ("text", "value", "line"),
    [
        ("A=b \\\n# why\n  c\n", "b    c", 2),
        ("A=b \\\n  ; why\n\t# and why \\\nc\n", "b  c", 2),
        ("# \\\nA=b\n", "b", 3),
        ("A=b \\\n\nB=c\n", "b", 2),
        ("A=b\\\\\n", "b\\\\", 2),
        ("A=b\\\\\\\nc\n", "b\\\\ c", 2),
        ("A=b \\\r\nc\r\n", "b  c", 2),
        ("A=b \\", "b", 2),
        ("\n\n \tA =\t b # c \n", "b # c", 4),
        ("A=b\u2028\x0c\x85c\n", "b\u2028\x0c\x85c", 2),
        ("A=", "", 2),
    ],
)
def test_a_setting(unit: Path, text: str, value: str, line: int) -> None:
    found = settings(unit, f"[Service]\n{text}".encode())
    assert found[0] == (line, "A", value)


def test_other_sections_and_lines_outside_are_no_settings(unit: Path) -> None:
    text = b"A=0\n[Unit]\nA=1\n[Service]\nA=2\nword\n[X-Service]\nA=3\n[service]\nA=4\n [Service] \nA=5\n"
    assert settings(unit, text) == [(5, "A", "2"), (12, "A", "5")]


def test_a_mark_of_the_byte_order_is_left_out(unit: Path) -> None:
    assert settings(unit, b"\xef\xbb\xbf[Service]\nA=1\n") == [(2, "A", "1")]


@pytest.mark.parametrize("bad", [b"[Service] # why", b"[Install", b"B=\xff", b"\xff", b"[Unit]\n\xff\n[Service]"])
def test_reading_ends_at_a_bad_line(unit: Path, bad: bytes) -> None:
    assert settings(unit, b"[Service]\n# \xff\nA=1\n" + bad + b"\nA=2\n") == [(3, "A", "1")]


def test_what_cannot_be_read_has_no_settings(tmp_path: Path) -> None:
    assert list(service_lines(tmp_path)) == []
    assert list(service_lines(tmp_path / "nowhere")) == []


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", []),
        ("A=1 B=2\tC=3 ", ["A=1", "B=2", "C=3"]),
        ("\"A=1 2\" 'B=3 4'", ["A=1 2", "B=3 4"]),
        ("A=\"1 2\" B='3'4", ["A=1 2", "B=34"]),
        ("\"A=it's\" 'B=\"'", ["A=it's", 'B="']),
        (r'"A=\"1\"" B=\\ C=\x41\101\u0041\s\t.', ['A="1"', "B=\\", "C=AAA  ."]),
        ('"P=--x O=1" Q=', ["P=--x O=1", "Q="]),
        ('A=1 "B=2" "C', ["A=1", "B=2"]),
        ("A=1 B=2' C=3", ["A=1"]),
        (r"A=1 B=\q C=3", ["A=1"]),
        ("A=1\u2028B=2", ["A=1\u2028B=2"]),
    ],
)
def test_words(value: str, found: list[str]) -> None:
    assert list(words(value)) == found
