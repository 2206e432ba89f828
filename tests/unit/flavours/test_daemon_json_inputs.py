"""Odd and broken daemon.json files: refused with the file untouched, or edited with every other setting the same."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.flavours.daemon_json_file import DaemonJson
from devreg.model.address import Address
from devreg.model.daemon_json import KEY
from devreg.model.errors import ConfigUnusable
from tests.unit.flavours.by_chance import damaged, made, written

A = Address.parse("registry.example:5000")
SEED = 20240613
GENERATED = 300

# Edited with all else kept.
GOOD: dict[str, bytes] = {
    "empty": b"",
    "one space": b" ",
    "blank lines": b"\r\n\t \n",
    "empty object": b"{}",
    "empty object with space": b"{ \n }",
    "space around": b'\n\n  {"debug": true}  \n\n',
    "one line": b'{"debug":true,"insecure-registries":["a:1","b:2"],"log-level":"info"}',
    "one line with space": b'{ "debug": true, "insecure-registries": [ "a:1" ] }',
    "no newline at the end": b'{\n  "debug": true\n}',
    "CRLF": b'{\r\n  "debug": true,\r\n  "insecure-registries": [\r\n    "a:1"\r\n  ]\r\n}\r\n',
    "CRLF without the list": b'{\r\n  "debug": true\r\n}\r\n',
    "CR alone": b'{\r"debug": true\r}\r',
    "mixed line ends": b'{\r\n  "debug": true,\n  "labels": ["a"]\r}\n',
    "tabs": b'{\n\t"debug":\ttrue,\n\t"insecure-registries":\t[\n\t\t"a:1",\n\t\t"b:2"\n\t]\n}\n',
    "commas in front": b'{ "debug": true\n, "insecure-registries": [ "a:1"\n, "b:2"\n]\n}\n',
    "wild white space": b'{"insecure-registries"  :\n\n[\n\n"a:1"  ,\t"b:2"\n\n]\n\n}',
    "empty list": b'{"insecure-registries": []}',
    "empty list on lines": b'{\n  "debug": true,\n  "insecure-registries": [\n  ]\n}\n',
    "list first": b'{"insecure-registries": ["a:1"], "debug": true}',
    "list in the middle": b'{"debug": true, "insecure-registries": ["a:1"], "labels": []}',
    "empty list in the middle": b'{"debug": true, "insecure-registries": [], "labels": []}',
    "key in escapes": rb'{"\u0069nsecure\u002dregistries": ["a:1"]}',
    "entry in escapes": rb'{"insecure-registries": ["\u0061:1"]}',
    "escaped slashes": rb'{"insecure-registries": ["10.0.0.0\/8"], "data-root": "\/srv\/docker"}',
    "escapes elsewhere": rb'{"labels": ["\u00e9\t\"\\", "\ud83d\ude00"]}',
    "lone surrogate": rb'{"labels": ["\ud800"]}',
    "lone surrogate as a key": rb'{"log-opts": {"\udfff": "x"}, "insecure-registries": ["a:1"]}',
    "raw UTF-8": '{"labels": ["größe=日本 😀"]}'.encode(),
    "raw U+2028 in a string": '{"labels": ["a\u2028b"]}'.encode(),
    "DEL in a string": b'{"labels": ["a\x7fb"]}',
    "BOM in a string": '{"labels": ["\ufeff"]}'.encode(),
    "the list's name as a value": b'{"labels": ["insecure-registries"], "debug": true}',
    "the list's name deeper": b'{"log-opts": {"insecure-registries": ["x/"]}, "debug": true}',
    "singular name": b'{"insecure-registry": ["a:1"]}',
    "name in capitals": b'{"Insecure-Registries": ["a:1"], "debug": true}',
    "name with spaces": b'{" insecure-registries ": ["a:1"]}',
    "empty key": b'{"": 1, "debug": true}',
    "brackets in strings": b'{"labels": ["]", "}", "[{"], "insecure-registries": ["a:1"]}',
    "quotes and commas in strings": rb'{"labels": ["\",\"", "a,b"], "insecure-registries": ["a:1"]}',
    "comment marks in strings": b'{"labels": ["// no", "/* no */", "# no"]}',
    "biggest int": b'{"max": ' + b"9" * 308 + b"}",
    "huge negative exponent": b'{"max": 1e308, "min": -1E-400}',
    "minus zero": b'{"a": -0, "b": -0.0, "c": 0.1e+1}',
    "null, true, false": b'{"a": null, "b": true, "c": false}',
    "nested twenty deep": b'{"a": ' + b"[" * 20 + b"]" * 20 + b"}",
    "nested objects": b'{"a": ' * 30 + b"{}" + b"}" * 30,
    "the same key on different levels": b'{"a": {"a": {"a": 1}}, "b": {"a": 2}}',
    "an entry twice": b'{"insecure-registries": ["a:1", "a:1"]}',
    "entry with http://": b'{"insecure-registries": ["http://a:1"]}',
    "entry with https://": b'{"insecure-registries": ["https://a:1", "HTTP://b"]}',
    "CIDR": b'{"insecure-registries": ["10.0.0.0/8", "192.168.1.1/32", "::1/128"]}',
    "CIDR of everything": b'{"insecure-registries": ["0.0.0.0/0"]}',
    "IPv6 entry": b'{"insecure-registries": ["[::1]:5000", "[fe80::1]:443"]}',
    "entry in capitals": b'{"insecure-registries": ["Registry.Example:5000"]}',
    "other port": b'{"insecure-registries": ["registry.example:5001", "registry.example"]}',
    "longer name": b'{"insecure-registries": ["my.registry.example:5000", "registry.example:50000"]}',
    "a thousand entries": json.dumps({KEY: [f"r{n}.example:5000" for n in range(1000)]}).encode(),
    "a long line": json.dumps({"labels": ["x" * 100_000], KEY: ["a:1"]}).encode(),
    "a thousand settings": json.dumps({f"k{n}": n for n in range(1000)}, indent=1).encode(),
}

# Refused: the words that name the fault.
FAULTY: dict[str, tuple[bytes, str]] = {
    "line comment": (b'{\n  // mine\n  "debug": true\n}', r"line 2, column 3: a comment"),
    "hash comment": (b'# mine\n{"debug": true}', r"line 1, column 1: a comment"),
    "block comment": (b'{"debug": true, /* no */ "a": 1}', r"line 1, column 17: a comment"),
    "comment behind the end": (b'{"debug": true}\n// end\n', r"line 2, column 1: a comment"),
    "trailing comma in the object": (b'{"debug": true,}', r"a trailing comma"),
    "trailing comma in a list": (b'{"insecure-registries": ["a:1",]}', r"a trailing comma"),
    "trailing comma on a line of its own": (b'{\n  "debug": true\n  ,\n}', r"a trailing comma"),
    "trailing comma behind the end": (b'{"debug": true},', r"line 1, column 16: "),
    "two commas": (b'{"debug": true,, "a": 1}', r"line 1, column 16: "),
    "leading comma": (b'{, "debug": true}', r"line 1, column 2: "),
    "no comma": (b'{\n"debug": true\n"a": 1\n}', r"line 3, column 1: "),
    "no colon": (b'{"debug" true}', r"line 1, column 10: "),
    "no value": (b'{"debug": }', r"line 1, column 11: "),
    "no closing brace": (b'{"debug": true', r"line 1, column 15: "),
    "no closing bracket": (b'{"insecure-registries": ["a:1"}', r"line 1, column 31: "),
    "no closing quote": (b'{"debug: true}', r"line 1, column 2: "),
    "only an opening brace": (b"{", r"line 1, column 2: "),
    "only a closing brace": (b"}", r"line 1, column 1: "),
    "two objects": (b"{}{}", r"line 1, column 3: "),
    "brace too many": (b'{"debug": true}}', r"line 1, column 16: "),
    "single quotes": (b"{'debug': true}", r"line 1, column 2: a single quote"),
    "bare key": (b"{debug: true}", r"line 1, column 2: "),
    "Python's words": (b'{"debug": True}', r"line 1, column 11: "),
    "YAML": (b"debug: true\n", r"line 1, column 1: "),
    "TOML": (b"debug = true\n", r"line 1, column 1: "),
    "XML": (b"<a/>", r"line 1, column 1: "),
    "leading zero": (b'{"a": 01}', r"line 1, column 8: "),
    "plus sign": (b'{"a": +1}', r"line 1, column 7: "),
    "hexadecimal": (b'{"a": 0x10}', r"line 1, column 8: "),
    "a dot at the end": (b'{"a": 1.}', r"line 1, column 8: "),
    "digits of another script": ('{"a": \u0661}'.encode(), r"line 1, column 7: "),
    "not a number": (b'{"a": NaN}', r"line 1, column 7: NaN"),
    "infinity": (b'{"a": -Infinity}', r"line 1, column 7: -Infinity"),
    "huge int": (b'{"max": ' + b"9" * 400 + b"}", r"line 1, column 9: "),
    "huge exponent": (b'{"max": 1e400}', r"line 1, column 9: "),
    "tab in a string": (b'{"a": "x\ty"}', r"line 1, column 9: "),
    "newline in a string": (b'{"a": "x\ny"}', r"line 1, column 9: "),
    "unknown escape": (rb'{"a": "\x41"}', r"line 1, column 8: "),
    "short escape": (rb'{"a": "\u12"}', r"line 1, column \d+: "),
    "backslash at the end": (rb'{"a": "\"}', r"line 1, column 7: "),
    "NUL": (b"\0", r"line 1, column 1: "),
    "NUL at the end": (b'{"debug": true}\0', r"line 1, column 16: "),
    "NUL in a string": (b'{"a": "\0"}', r"line 1, column 8: "),
    "a file of zeros": (b"\0" * 4096, r"line 1, column 1: "),
    "form feed": (b'\x0c{"debug": true}', r"line 1, column 1: "),
    "no-break space": ('{\u00a0"debug": true}'.encode(), r"line 1, column 2: "),
    "only a no-break space": ("\u00a0".encode(), r"line 1, column 1: "),
    "BOM": (b'\xef\xbb\xbf{"debug": true}', r"byte order mark"),
    "BOM alone": (b"\xef\xbb\xbf", r"byte order mark"),
    "BOM behind the end": (b"{}\xef\xbb\xbf", r"line 1, column 3: "),
    "Latin-1": ('{"labels": ["größe"]}'.encode("latin-1"), r"is not UTF-8 text: byte 16"),
    "UTF-16": ('{"debug": true}'.encode("utf-16"), r"is not UTF-8 text: byte 1"),
    "UTF-16 without a BOM": ('{"debug": true}'.encode("utf-16-le"), r"line 1, column 2: "),
    "a surrogate in UTF-8": (b'{"a": "\xed\xa0\x80"}', r"is not UTF-8 text: byte 8"),
    "half a character": (b'{"a": "\xc3"}', r"is not UTF-8 text: byte 8"),
    "gzip": (b"\x1f\x8b\x08\0\0", r"is not UTF-8 text"),
    "list at the top": (b'["a:1"]', r"line 1, column 1: the settings must be an object"),
    "empty list at the top": (b"\n  []", r"line 2, column 3: the settings must be an object"),
    "string at the top": (b'"debug"', r"must be an object"),
    "number at the top": (b"5", r"must be an object"),
    "null at the top": (b"null", r"must be an object"),
    "false at the top": (b"false", r"must be an object"),
    "nested without end": (b"[" * 100_000, r"line 1, column 10001: nested"),
    "nested too deep": (b'{"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", r"line 1, column 10006: nested"),
    "the list twice": (
        b'{\n"insecure-registries": ["a:1"],\n"insecure-registries": ["b:2"]\n}',
        r"line 3, column 1: the key 'insecure-registries' is there twice",
    ),
    "the list twice, once in escapes": (
        rb'{"insecure-registries": ["a:1"], "\u0069nsecure-registries": []}',
        r"line 1, column 34: .* twice",
    ),
    "another key twice": (b'{"debug": true, "debug": true}', r"line 1, column 17: .* twice"),
    "a key twice, deeper": (b'{"log-opts": {"a": "1", "a": "2"}}', r"line 1, column 25: the key 'a' .* twice"),
    "a key twice, in a list": (b'{"x": [1, {"a": 1, "a": 1}]}', r"line 1, column 20: .* twice"),
    "the empty key twice": (b'{"": 1, "": 2}', r"line 1, column 9: .* twice"),
    "a string for the list": (b'{"insecure-registries": "a:1"}', r"line 1, column 25: .* list of strings"),
    "an object for the list": (b'{"insecure-registries": {"a:1": true}}', r"line 1, column 25: .* list"),
    "null for the list": (b'{"insecure-registries": null}', r"line 1, column 25: .* list"),
    "true for the list": (b'{"insecure-registries": true}', r"line 1, column 25: .* list"),
    "a number for the list": (b'{"insecure-registries": 0}', r"line 1, column 25: .* list"),
    "a number in the list": (b'{"insecure-registries": ["a:1", 5]}', r"line 1, column 33: .* not a string"),
    "null in the list": (b'{"insecure-registries": [null]}', r"line 1, column 26: .* not a string"),
    "a list in the list": (b'{"insecure-registries": [["a:1"]]}', r"line 1, column 26: .* not a string"),
    "an object in the list": (b'{"insecure-registries": [{}]}', r"line 1, column 26: .* not a string"),
    **{
        f"entry {entry!r}": (
            json.dumps({"debug": True, KEY: ["a:1", entry]}).encode(),
            rf"line 1, column 48: with {re.escape(repr(entry))} in {KEY} Docker does not start",
        )
        for entry in (
            *("", " ", " a:1", "a:1 ", "a:1/", "a/b", "*.example", "my_reg:5000", "a:99999", "-a", "a-", "ftp://a"),
            *("http://", "https://a/b", "10.0.0.0/33", "10.0.0/8", "a/8", "::1/129", "a:b", "a:1:2", "ä:1", "a\n"),
            *("a..b", ".a", "user@a", "a?b", "[::1", "[::1%eth0]:5000", "\ud800"),
        )
    },
}


def edited(file: Path, data: bytes) -> bool:
    """Add the address to the file and take it away again, and look at all that has to hold; False where refused."""
    file.write_bytes(data)
    settings = DaemonJson(file, live=lambda: ())
    try:
        (adding,) = settings.edits([A], [])
    except ConfigUnusable as error:
        fault: str | None = error.message
    else:
        fault = None
    assert file.read_bytes() == data
    if fault is not None:
        assert re.match(re.escape(str(file)) + ", line [0-9]+, column [0-9]+: ", fault)
        return False
    assert (adding.before, adding.passing) == (data, None)
    before, after = parsed(data), parsed(adding.after)
    listed = before.get(KEY, [])
    assert after[KEY] == [*listed, str(A)]
    assert list(after) == [*before, *([] if KEY in before else [KEY])]
    assert rest(after) == rest(before)
    file.write_bytes(adding.after or b"")
    assert settings.lists(A)
    assert settings.edits([A], []) == ()
    (removing,) = settings.edits([], [A])
    if listed:
        assert (removing.after, removing.passing) == (data, None)
    else:
        passing, last = parsed(removing.passing), parsed(removing.after)
        assert (passing[KEY], rest(passing)) == ([], rest(before))
        assert list(last) == [key for key in before if key != KEY]
        assert last == rest(before)
    return True


def parsed(data: bytes | None) -> dict[str, Any]:
    """The settings of a file; one without any text has none."""
    settings = json.loads(data) if data and data.strip() else {}
    assert isinstance(settings, dict)
    return settings


def rest(settings: dict[str, Any]) -> dict[str, Any]:
    """All but the list."""
    return {key: value for key, value in settings.items() if key != KEY}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "daemon.json"


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_odd_but_right(file: Path, data: bytes) -> None:
    assert edited(file, data)


@pytest.mark.parametrize(("data", "words"), FAULTY.values(), ids=FAULTY)
def test_broken(file: Path, data: bytes, words: str) -> None:
    assert not edited(file, data)
    for add, remove in ([A], []), ([], [A]), ([], []):
        with pytest.raises(ConfigUnusable, match=words):
            DaemonJson(file, live=lambda: ()).edits(add, remove)
    assert file.read_bytes() == data


@pytest.mark.parametrize("scheme", ["http://", "https://", "HTTP://"])
def test_an_entry_with_a_scheme_is_the_address_already(file: Path, scheme: str) -> None:
    file.write_text(f'{{"insecure-registries": ["a:1", "{scheme}{A}", "b:2"], "debug": true}}')
    settings = DaemonJson(file, live=lambda: ())
    assert settings.edits([A], []) == ()
    (removing,) = settings.edits([], [A])
    assert removing.after == b'{"insecure-registries": ["a:1", "b:2"], "debug": true}'


@pytest.mark.parametrize("live", [(), (str(A),)], ids=["not live", "live"])
def test_no_file(file: Path, live: tuple[str, ...]) -> None:
    settings = DaemonJson(file, live=lambda: live)
    (adding,) = settings.edits([A], [])
    assert (adding.before, parsed(adding.after)) == (None, {KEY: [str(A)]})
    (removing,) = settings.edits([], [A])
    assert (removing.before, removing.after, parsed(removing.passing)) == (None, None, {KEY: []})
    assert not file.exists()


def test_enough_different_files_were_tried(file: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311  # not for secrets
    right = [written(made(chance), chance) for _ in range(GENERATED)]
    assert all(edited(file, text.encode()) for text in right)
    broken = [damaged(text, chance) for text in right]
    refused = [text for text in broken if not edited(file, text.encode())]
    assert len(refused) > GENERATED / 3
    by_hand = {*GOOD.values(), *(data for data, _ in FAULTY.values())}
    assert len({text.encode() for text in (*right, *broken)} | by_hand) >= 300
    assert len(set(right)) >= GENERATED * 0.9


NAMES = st.text(max_size=8).filter(lambda name: name != KEY)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
LISTS = st.lists(st.sampled_from(["a:1", "b.example", "10.0.0.0/8", "[::1]:5000", "https://c:2"]), max_size=4)


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.none() | LISTS, st.randoms())
def test_any_settings_in_any_writing(
    tmp_path_factory: pytest.TempPathFactory, others: dict[str, object], listed: list[str] | None, chance: random.Random
) -> None:
    settings: list[tuple[str, object]] = list(({**others, KEY: listed} if listed is not None else others).items())
    chance.shuffle(settings)
    text = written(dict(settings), chance)
    file = tmp_path_factory.getbasetemp() / "any.json"
    assert edited(file, text.encode("utf-8", "replace"))
    edited(file, damaged(text, chance).encode("utf-8", "replace"))
