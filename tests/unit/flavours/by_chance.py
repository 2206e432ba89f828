"""Settings made by chance, written in one of the many ways of JSON, and damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from devreg.model.daemon_json import KEY


def made(chance: Random) -> dict[str, Any]:
    """Settings as Docker might have them, and some that it would not take but that are JSON."""
    names = ["debug", "log-level", "log-opts", "labels", "data-root", "dns", "größe", "a b", "", "x"]
    settings = {name: value(chance, 3) for name in chance.sample(names, chance.randint(0, 6))}
    if chance.random() < 0.7:
        settings[KEY] = chance.sample(["a:1", "b", "10.0.0.0/8", "[::1]:5000", "http://c:2"], chance.randint(0, 5))
    return dict(chance.sample(sorted(settings.items()), len(settings)))


def value(chance: Random, depth: int) -> object:
    """A JSON value of at most `depth` levels."""
    leaves: list[Callable[[], object]] = [
        lambda: None,
        lambda: chance.random() < 0.5,
        lambda: chance.randint(-(10**20), 10**20),
        lambda: chance.uniform(-1e6, 1e6),
        lambda: "".join(chance.choices('ab,:[]{}"\\/\t\n\u00e9\u2028\U0001f600 #', k=chance.randint(0, 8))),
    ]
    if depth and chance.random() < 0.4:
        inside = [value(chance, depth - 1) for _ in range(chance.randint(0, 3))]
        return inside if chance.random() < 0.5 else {f"k{n}": each for n, each in enumerate(inside)}
    return chance.choice(leaves)()


def written(settings: object, chance: Random) -> str:
    """The settings as JSON: with the same white space everywhere, or with any anywhere; maybe in escapes."""
    if chance.random() < 0.4:
        indent = chance.choice([None, 0, 1, 2, 4, "\t"])
        text = json.dumps(settings, indent=indent, ensure_ascii=chance.random() < 0.5)
        return text.replace("\n", chance.choice(["\n", "\r\n"])) + chance.choice(["", "\n", "\r\n", "\n\n"])
    return spaced(settings, chance)


def spaced(each: object, chance: Random) -> str:
    """A value with white space by chance between all its tokens."""

    def gap() -> str:
        return "".join(chance.choices(" \t\n\r", k=chance.choice([0, 0, 1, 3])))

    if isinstance(each, dict):
        members = (f"{spaced(key, chance)}:{spaced(item, chance)}" for key, item in each.items())
        return f"{gap()}{{{','.join(members) or gap()}}}{gap()}"
    if isinstance(each, list):
        return f"{gap()}[{','.join(spaced(item, chance) for item in each) or gap()}]{gap()}"
    if isinstance(each, str):
        return f'{gap()}"{"".join(escaped(character, chance) for character in each)}"{gap()}'
    return f"{gap()}{json.dumps(each)}{gap()}"


def escaped(character: str, chance: Random) -> str:
    """A character of a string, as itself or in one of its escapes."""
    if chance.random() < 0.2:
        units = character.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))
    return json.dumps(character, ensure_ascii=chance.random() < 0.5)[1:-1]


def damaged(text: str, chance: Random) -> str:
    """The text with a character too many or too few."""
    at = chance.randrange(len(text))
    if chance.random() < 0.5:
        return text[:at] + text[at + 1 :]
    return text[:at] + chance.choice("{}[]\",:\\'/#\0\t\u00a0\ufeff0-e") + text[at:]
