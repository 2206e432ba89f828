"""dockerd's daemon.json as text → text: one list of it is edited, every other byte stays.

The rules are the engine's (measured on engine 20.10, 26.1 and 28.5): comments, trailing commas and a string where a
list belongs keep Docker from starting; of duplicate keys the last one silently wins, so it is refused. What only some
engines take is refused too: a byte order mark (not 20.10), bytes that are not UTF-8 and text behind the end (not 26.1).
Only an empty file, which 20.10 refuses and 23 takes, counts as `{}`. A file that is refused is never changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence

from devreg.model.errors import ConfigUnusable
from devreg.model.go_json import Span, read, skip, spans
from devreg.model.insecure_entry import accepted, has_entry, same

KEY = "insecure-registries"

_HINT = "correct the file by hand; devreg has not touched it"


def decode(data: bytes, source: str) -> str:
    """The text of a file. Raises ConfigUnusable that names line and column when it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        good = data[: error.start].decode()
        raise _fault(source, good, len(good), f"this is not UTF-8 text: byte {error.start + 1}") from error


def parse(text: str, source: str = "daemon.json") -> dict[str, object]:
    """The settings in the text of `source`; a blank text has none.

    Raises ConfigUnusable that names line and column for anything that is not one JSON object without duplicate keys and
    with a list of strings (or nothing) under `insecure-registries`.
    """
    if not text.strip(" \t\r\n"):
        return {}
    try:
        settings = read(text)
    except json.JSONDecodeError as error:
        raise _fault(source, text, error.pos, error.msg) from error
    if not isinstance(settings, dict):
        raise _fault(source, text, skip(text, 0), "the settings must be an object, in { }")
    _refuse_other_types(text, settings, source)
    return settings


def entries(settings: dict[str, object]) -> list[str]:
    """The list of insecure registries among parsed settings."""
    listed = settings.get(KEY, [])
    return [str(entry) for entry in listed] if isinstance(listed, list) else []


def lint(text: str, *, known: Collection[str], source: str = "daemon.json") -> None:
    """Raise ConfigUnusable that names the place of an entry with which Docker would not start again.

    A running engine ignores such an entry, and `dockerd --validate` does not look at it. `known`: what the running
    engine trusts; what is in there it evidently takes (26.1 knows a spelling that 20.10 refuses: `[::1]`).
    """
    if not entries(parse(text, source)):
        return
    for item in spans(text, _member(text).value):
        entry = json.loads(text[item.value : item.end])
        if not accepted(entry) and entry not in known:
            fault = f"with {entry!r} in {KEY} Docker does not start"
            raise _fault(source, text, item.value, f"{fault}; it takes host, host:port, [::1]:5000 or 10.0.0.0/8")


def with_entry(text: str, entry: str) -> str:
    """`text` with `entry` in the list, in the style of what is there; unchanged when it is in already.

    White space inside an empty `[ ]` or `{ }` is not kept. Raises ConfigUnusable as `parse` does.
    """
    listed = entries(parse(text))
    if has_entry(listed, entry):
        return text
    if not listed:
        return with_list(text, [entry])
    value = _member(text).value
    items = list(spans(text, value))
    end = items[-1].end
    return text[:end] + _separator(text, value, items) + json.dumps(entry) + text[end:]


def without_entry(text: str, entry: str) -> str:
    """`text` without `entry` in the list. An emptied list stays as `[]`: a reload needs the key to drop the last entry.

    Undoes `with_entry` byte for byte when the list had entries before. Raises ConfigUnusable as `parse` does.
    """
    while has_entry(listed := entries(parse(text)), entry):
        if len(listed) == 1:
            return with_list(text, [])
        items = list(spans(text, _member(text).value))
        place = max(i for i, other in enumerate(listed) if same(other, entry))
        text = _cut(text, items, place)
    return text


def with_list(text: str, listed: Sequence[str]) -> str:
    """`text` with exactly `listed` as the list, on one line. Raises ConfigUnusable as `parse` does."""
    value = f"[{', '.join(json.dumps(entry) for entry in listed)}]"
    if not text.strip(" \t\r\n"):
        return f'{{\n  "{KEY}": {value}\n}}\n'
    if KEY in parse(text):
        member = _member(text)
        return text[: member.value] + value + text[member.end :]
    top = skip(text, 0)
    members = list(spans(text, top))
    if not members:
        newline = "\r\n" if "\r\n" in text else "\n"
        return f'{text[:top]}{{{newline}  "{KEY}": {value}{newline}}}{text[text.index("}", top) + 1 :]}'
    last = members[-1]
    colon = text[last.key_end : last.value]
    colon = colon if re.fullmatch(" ?: ?", colon) else ": "
    return f'{text[: last.end]}{_separator(text, top, members)}"{KEY}"{colon}{value}{text[last.end :]}'


def without_key(text: str) -> str:
    """`text` without the list and its key. Raises ConfigUnusable as `parse` does."""
    settings = parse(text)
    if KEY not in settings:
        return text
    if len(settings) == 1:
        return f"{text[: skip(text, 0)]}{{}}{text[text.rindex('}') + 1 :]}"
    members = list(spans(text, skip(text, 0)))
    return _cut(text, members, next(i for i, member in enumerate(members) if member.key == KEY))


def _cut(text: str, spans: Sequence[Span], place: int) -> str:
    """`text` without one of several spans: with the comma before the last one, or else with the comma after it."""
    if place == len(spans) - 1:
        return text[: spans[place - 1].end] + text[spans[place].end :]
    return text[: spans[place].start] + text[spans[place + 1].start :]


def _separator(text: str, opening: int, spans: Sequence[Span]) -> str:
    """What to write between the last span and a new one: as between the last two, else as before the only one."""
    if len(spans) > 1:
        return text[spans[-2].end : spans[-1].start]
    lead = text[opening + 1 : spans[0].start]
    spaced = re.search(r'":\s', text) is not None
    return "," + (lead or (" " if spaced else ""))


def _member(text: str) -> Span:
    return next(member for member in spans(text, skip(text, 0)) if member.key == KEY)


def _refuse_other_types(text: str, settings: dict[str, object], source: str) -> None:
    if KEY not in settings:
        return
    member = _member(text)
    if not isinstance(settings[KEY], list):
        raise _fault(source, text, member.value, f"{KEY!r} must be a list of strings, in [ ]")
    for item in spans(text, member.value):
        if text[item.value] != '"':
            raise _fault(source, text, item.value, f"{KEY!r} has an item that is not a string")


def _fault(source: str, text: str, at: int, fault: str) -> ConfigUnusable:
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    return ConfigUnusable(f"{source}, line {line}, column {column}: {fault}", hint=_HINT)
