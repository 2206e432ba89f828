"""How systemd reads a unit: see systemd.syntax(7). Compared with what `systemd --test` of 252 says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SPACE = " \t\n\r"
_COMMENT = ("#", ";")
# Texts, compiled at their first use: most runs of devreg read no unit.
_NO_TEXT = "[\udc80-\udcff]"
_NEWLINE = r"\r\n|[\n\r\0]"
_ESCAPE = r"""\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[0-7]{3}|[abfnrstv\\"'])"""
_WORD = rf"""(?x) [ \t\n\r]*
    ( (?: [^ \t\n\r"'\\] | {_ESCAPE} | "(?:{_ESCAPE}|[^"\\])*" | '(?:{_ESCAPE}|[^'\\])*' )+ )
    (?= [ \t\n\r] | \Z )"""
_PIECE = r""""((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|((?:[^"'\\]|\\.)+)"""
_BLANKS = dict.fromkeys("fnrstv", " ")


class Line(NamedTuple):
    """A logical line of a file, continued lines joined. `number`, where it begins, counts from 1."""

    file: Path
    number: int
    text: str

    def __str__(self) -> str:
        file = str(self.file).encode(errors="replace").decode()  # the names of files may be no text
        return f"{file}, line {self.number}"


def service_lines(file: Path) -> Iterator[tuple[str, str, Line]]:
    """Key, value and whole line of the settings in the `[Service]` sections of a unit or drop-in.

    Like systemd's, the reading ends at a line that is not UTF-8, or that begins a section without ending its name.
    """
    section = ""
    for line in _logical_lines(file):
        text = line.text.strip(_SPACE)
        if not is_text(text) or (text.startswith("[") and not text.endswith("]")):
            return
        if text.startswith("["):
            section = text[1:-1]
        elif section == "Service" and "=" in text:
            key, _, value = text.partition("=")
            yield key.rstrip(_SPACE), value.lstrip(_SPACE), line


def words(value: str) -> Iterator[str]:
    """The words of a value, quotes and backslashes resolved, up to a lone quote or an unknown escape."""
    word, place = re.compile(_WORD), 0
    while found := word.match(value, place):
        pieces = re.finditer(_PIECE, found[1])
        yield "".join(re.sub(_ESCAPE, _resolved, piece[piece.lastindex or 0]) for piece in pieces)
        place = found.end()


def read(file: Path) -> str:
    """The text of a file, its bytes that are not UTF-8 as surrogates; empty if it cannot be read or is no file."""
    try:
        # Nothing else: a pipe would not end.
        return file.read_bytes().decode(errors="surrogateescape") if file.is_file() else ""
    except (OSError, ValueError):
        return ""


def is_text(text: str) -> bool:
    """Whether what was read is UTF-8."""
    return re.search(_NO_TEXT, text) is None


def _resolved(escape: re.Match[str]) -> str:
    kind, digits = escape[1][0], escape[1][1:]
    if kind in "xu" or kind.isdigit():
        return chr(int(digits, 16) if kind in "xu" else int(escape[1], 8))
    return _BLANKS.get(kind, kind)


def _logical_lines(file: Path) -> Iterator[Line]:
    """Lines that end with a backslash go on in the next; comments between them are left out."""
    begun, text = 0, ""
    for number, line in enumerate(re.split(_NEWLINE, read(file).removeprefix("\ufeff")), 1):
        if line.lstrip(_SPACE).startswith(_COMMENT):
            continue
        begun, text = (begun, text + line) if begun else (number, line)
        if (len(text) - len(text.rstrip("\\"))) % 2:
            text = f"{text[:-1]} "
            continue
        yield Line(file, begun, text)
        begun = 0
    if begun:
        yield Line(file, begun, text)
