"""JSON text as Go's encoding/json reads it, with which dockerd reads daemon.json, and where in a text its parts are.

Python's json takes more than Go (NaN, a number of any size), and fails at some depth that Go takes. Measured on the
dockerd of engines 20.10 and 26.1. One thing is refused that Go takes: a key that an object has twice.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # the standard library's own string scanner
from typing import Any

LEVELS = 10_000

_SPACE = re.compile(r"[ \t\r\n]*")
_WORDS = {"true": True, "false": False, "null": None}
_SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NO_NUMBER = re.compile(r"-?(?:NaN|Infinity)")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# What a text that was accepted consists of, besides white space, commas and colons.
_PIECE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]|[^\s"{}\[\],:]+')
_NESTING = {"{": 1, "[": 1, "}": -1, "]": -1}

# A walk through an object or a list, without recursion: it yields where a value starts, and is sent the value and where
# that ends; it returns the same of itself.
_Walk = Generator[int, Any, tuple[object, int]]


@dataclass(frozen=True)
class Span:
    """Where a member of an object or an item of a list is. An item has no key: it starts where its value starts."""

    start: int
    key: str
    key_end: int
    value: int
    end: int


def read(text: str) -> object:
    """The value in the text. Raises JSONDecodeError, with the fault and its place, for what Go refuses."""
    walks = [_document(text)]
    answer: Any = None
    while walks:
        try:
            at = walks[-1].send(answer)
        except StopIteration as end:
            walks.pop()
            answer = end.value
            continue
        if not text.startswith(("{", "["), at):
            answer = _string(text, at) if text.startswith('"', at) else _scalar(text, at)
            continue
        if len(walks) > LEVELS:
            raise JSONDecodeError(f"nested more than {LEVELS:,} deep, which Docker refuses", text, at)
        walks.append(_object(text, at) if text[at] == "{" else _list(text, at))
        answer = None
    return answer[0]


def spans(text: str, at: int) -> Iterator[Span]:
    """The members or items of the object or list that opens at `at`, in a text that `read` has accepted."""
    closing, keyed = ("}", True) if text[at] == "{" else ("]", False)
    at = skip(text, at + 1)
    while text[at] != closing:
        start, key, key_end = at, "", at
        if keyed:
            key, key_end = _string(text, at)
            at = skip(text, skip(text, key_end) + 1)
        end = _end(text, at)
        yield Span(start, key, key_end, at, end)
        at = skip(text, end)
        if text[at] == ",":
            at = skip(text, at + 1)


def skip(text: str, at: int) -> int:
    """The first place from `at` on that is no white space."""
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _end(text: str, at: int) -> int:
    depth = 0
    for piece in _PIECE.finditer(text, at):
        depth += _NESTING.get(piece[0], 0)
        if not depth:
            return piece.end()
    return len(text)


def _document(text: str) -> _Walk:
    value, at = yield skip(text, 0)
    at = skip(text, at)
    if at < len(text):
        raise _fault(text, at, "there is more behind the end")
    return value, at


def _object(text: str, at: int) -> _Walk:
    members: dict[str, object] = {}
    at, more = skip(text, at + 1), True
    if text.startswith("}", at):
        return members, at + 1
    while more:
        start = at
        if not text.startswith('"', at):
            raise _fault(text, at, "a key in double quotes is expected")
        key, at = _string(text, at)
        if key in members:
            raise JSONDecodeError(f"the key {key!r} is there twice; Docker takes the last one", text, start)
        at = skip(text, at)
        if not text.startswith(":", at):
            raise _fault(text, at, "a colon is expected")
        members[key], at = yield skip(text, at + 1)
        at, more = _next(text, at, "}")
    return members, at


def _list(text: str, at: int) -> _Walk:
    items: list[object] = []
    at, more = skip(text, at + 1), True
    if text.startswith("]", at):
        return items, at + 1
    while more:
        item, at = yield at
        items.append(item)
        at, more = _next(text, at, "]")
    return items, at


def _next(text: str, at: int, closing: str) -> tuple[int, bool]:
    """Behind a value: where the next one starts, and True; or what is behind the closing bracket, and False."""
    at = skip(text, at)
    if text.startswith(closing, at):
        return at + 1, False
    if not text.startswith(",", at):
        raise _fault(text, at, f"a comma or {closing} is expected")
    following = skip(text, at + 1)
    if text.startswith(closing, following):
        raise JSONDecodeError("a trailing comma; JSON has none", text, at)
    return following, True


def _string(text: str, at: int) -> tuple[str, int]:
    try:
        value, end = scanstring(text, at + 1)
    except JSONDecodeError as error:
        words = error.msg.removesuffix(" at").removesuffix(" starting")
        raise JSONDecodeError(f"invalid JSON: {words[:1].lower()}{words[1:]}", text, error.pos) from error
    return _LONE_SURROGATE.sub("\ufffd", value), end


def _scalar(text: str, at: int) -> tuple[object, int]:
    match = _SCALAR.match(text, at)
    if match is None:
        raise _fault(text, at, "a value is expected")
    word = match[0]
    if word in _WORDS:
        return _WORDS[word], match.end()
    number = float(word)
    if math.isinf(number):
        raise JSONDecodeError("a number so big that Docker refuses it", text, at)
    return number if set(word) & set(".eE") else int(word), match.end()


def _fault(text: str, at: int, words: str) -> JSONDecodeError:
    """The faults that people make, by name; else `words`."""
    if at == 0 and text.startswith("\ufeff"):
        words = "the file begins with a byte order mark (BOM), which Docker before 23 refuses: save it as plain UTF-8"
    elif text.startswith(("//", "/*", "#"), at):
        words = "a comment; JSON has none"
    elif text.startswith("'", at):
        words = "a single quote; JSON strings stand in double quotes"
    elif match := _NO_NUMBER.match(text, at):
        words = f"{match[0]} is no JSON number"
    else:
        words = f"invalid JSON: {words}"
    return JSONDecodeError(words, text, at)
