"""daemon.json as text: what is refused, and that an edit changes nothing but the list."""

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model import daemon_json as dj
from devreg.model.errors import ConfigUnusable

X = "registry.example:5000"

REFUSED = {
    '{"a": 1,}': "line 1, column 8: a trailing comma",
    '{"insecure-registries": ["a",\n]}': "line 1, column 29: a trailing comma",
    '{\n  // why\n  "a": 1\n}': "line 2, column 3: a comment",
    '{"a": 1} # why': "line 1, column 10: a comment",
    '{"a": 1 /* why */}': "a comment",
    '\ufeff{"a": 1}': "line 1, column 1: .*byte order mark",
    "\ufeff": "line 1, column 1: .*byte order mark",
    "{'a': 1}": "single quote",
    '{"a": 1': "invalid JSON",
    '{"a" 1}': "line 1, column 6",
    '{"a": 1} {"b": 2}': "line 1, column 10",
    '{"a": NaN}': "line 1, column 7: NaN is no JSON number",
    '{"a": Infinity}': "line 1, column 7: Infinity is no JSON number",
    '{"a":\n -Infinity}': "line 2, column 2: -Infinity is no JSON number",
    '{"a": "\t"}': "control character",
    '{"a": 01}': "invalid JSON",
    '{\n "a": 1,\n "b": 2,\n "a": 3\n}': "line 4, column 2: the key 'a' is there twice",
    '{"log-opts": {"x": "1", "x": "2"}}': "line 1, column 25: the key 'x' is there twice",
    '{"a": [{"\\u0062": 1, "b": 2}]}': "'b' is there twice",
    "[]": "line 1, column 1: .* must be an object",
    " null": "line 1, column 2: .* must be an object",
    '"x"': "must be an object",
    '{"insecure-registries": "x"}': "line 1, column 25: .*must be a list",
    '{"insecure-registries": null}': "must be a list",
    '{"insecure-registries": {}}': "must be a list",
    '{"insecure-registries": ["x",\n 5]}': "line 2, column 2: .* not a string",
    '{"insecure-registries": [["x"]]}': "not a string",
    '{"a": ' + "9" * 5000 + "}": "line 1, column 7: a number so big",
    '{"a": 1,\n "b": -1e400}': "line 2, column 7: a number so big",
    '{"a":\n' + "[" * 100_000 + "]" * 100_000 + "}": "line 2, column 10000: nested more than 10,000 deep",
    '{"a": ' * 100_000: "line 1, column 60001: nested more than 10,000 deep",
    '{"\\ud800": 1, "\\udfff": 2}': "line 1, column 15: the key '\ufffd' is there twice",
    "registry.example": "invalid JSON",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40])
def test_refuses_what_docker_would_not_start_with_and_says_where(text: str) -> None:
    with pytest.raises(ConfigUnusable, match=REFUSED[text]) as caught:
        dj.parse(text, "the.json")
    assert re.match(r"the\.json, line \d+, column \d+: ", caught.value.message)
    for edit in (dj.with_entry, dj.without_entry):
        with pytest.raises(ConfigUnusable):
            edit(text, X)


def test_an_entry_that_keeps_docker_from_starting_is_named_with_its_place() -> None:
    text = '{"debug": true,\n "insecure-registries": ["good:5000",\n  "h\\u002fpath", "[::1]"]}'
    with pytest.raises(ConfigUnusable, match=r"^the\.json, line 3, column 3: with 'h/path' in insecure-registries"):
        dj.lint(text, known=(), source="the.json")
    dj.lint(text, known=("h/path", "[::1]"), source="the.json")
    dj.lint("", known=())


def test_refuses_other_encodings() -> None:
    with pytest.raises(ConfigUnusable, match=r"^the\.json, line 2, column 4: this is not UTF-8 text: byte 7"):
        dj.decode('{\n "é'.encode() + b'\xff": 1}', "the.json")
    with pytest.raises(ConfigUnusable, match=r"^the\.json, line 1, column 1: this is not UTF-8 text: byte 1"):
        dj.decode('{"a": 1}'.encode("utf-16"), "the.json")


@pytest.mark.parametrize(
    "value",
    ["[" * 9_999 + "]" * 9_999, '{"a": ' * 9_998 + "{}" + "}" * 9_998, "9" * 300, "1e-400", '"\\ud800\\udc00\\ud800"'],
    ids=["lists", "objects", "digits", "tiny", "lone surrogate"],
)
def test_what_docker_takes_is_edited_and_all_else_is_kept(value: str) -> None:
    text = f'{{"a": {value}, "b": 0}}'
    assert dj.with_entry(text, X) == f'{{"a": {value}, "b": 0, "insecure-registries": ["{X}"]}}'
    assert dj.without_key(dj.without_entry(dj.with_entry(text, X), X)) == text
    dj.lint(dj.with_entry(text, X), known=())


def test_an_entry_that_cannot_be_printed_is_as_docker_reads_it() -> None:
    text = '{"insecure-registries": ["\\udfff:1"]}'
    assert dj.entries(dj.parse(text)) == ["\ufffd:1"]
    with pytest.raises(ConfigUnusable, match=r"line 1, column 26: with '\\udfff:1' in insecure-registries"):
        dj.lint(text, known=())


@pytest.mark.parametrize("text", ["", " \n", "\r\n\t"])
def test_a_blank_file_has_no_settings_and_becomes_a_plain_one(text: str) -> None:
    assert dj.parse(text) == {}
    assert dj.with_entry(text, "x") == '{\n  "insecure-registries": ["x"]\n}\n'
    assert dj.without_entry(text, "x") == dj.without_key(text) == text


ADDED = {
    # a new key, in the style of the object
    "{}": '{\n  "insecure-registries": ["x"]\n}',
    "{\n}\n": '{\n  "insecure-registries": ["x"]\n}\n',
    "{\r\n}\r\n": '{\r\n  "insecure-registries": ["x"]\r\n}\r\n',
    '{"a": 1}': '{"a": 1, "insecure-registries": ["x"]}',
    '{"a":1}': '{"a":1,"insecure-registries":["x"]}',
    '{"a":1,"b":2}\n': '{"a":1,"b":2,"insecure-registries":["x"]}\n',
    '{ "a": 1 }': '{ "a": 1, "insecure-registries": ["x"] }',
    '{\n  "a": 1\n}\n': '{\n  "a": 1,\n  "insecure-registries": ["x"]\n}\n',
    '{\n\t"a": 1,\n\t"b": {"c": []}\n}': '{\n\t"a": 1,\n\t"b": {"c": []},\n\t"insecure-registries": ["x"]\n}',
    '{\r\n    "a" : 1\r\n}\r\n': '{\r\n    "a" : 1,\r\n    "insecure-registries" : ["x"]\r\n}\r\n',
    '{ "a": 1\n, "b": 2\n}\n': '{ "a": 1\n, "b": 2\n, "insecure-registries": ["x"]\n}\n',
    # an existing list, in the style of the list
    '{"insecure-registries": []}': '{"insecure-registries": ["x"]}',
    '{"insecure-registries": ["a"]}': '{"insecure-registries": ["a", "x"]}',
    '{"insecure-registries":["a"]}': '{"insecure-registries":["a","x"]}',
    '{"insecure-registries": ["a","b"]}': '{"insecure-registries": ["a","b","x"]}',
    '{"insecure-registries": [ "a" ], "z": "\\u00e9"}': '{"insecure-registries": [ "a", "x" ], "z": "\\u00e9"}',
    '{"insecure-registries": [\n    "a"\n  ]}': '{"insecure-registries": [\n    "a",\n    "x"\n  ]}',
    '{\n  "b": {"insecure-registries": 1}, "insecure-registries": [\n    "a",\n    "b"\n  ]\n}': (
        '{\n  "b": {"insecure-registries": 1}, "insecure-registries": [\n    "a",\n    "b",\n    "x"\n  ]\n}'
    ),
    '{"insecure\\u002dregistries": ["a"]}': '{"insecure\\u002dregistries": ["a", "x"]}',
}


@pytest.mark.parametrize("text", ADDED, ids=lambda text: text[:40])
def test_an_entry_joins_in_the_style_of_what_is_there(text: str) -> None:
    assert dj.with_entry(text, "x") == ADDED[text]


@pytest.mark.parametrize("listed", ["x", "http://x", "HTTPS://x"])
def test_an_entry_that_is_there_is_not_added_again_and_leaves_in_every_spelling(listed: str) -> None:
    text = json.dumps({"insecure-registries": ["a", listed, "b", "x"], "z": 1})
    assert dj.with_entry(text, "x") == text
    assert dj.without_entry(text, "x") == '{"insecure-registries": ["a", "b"], "z": 1}'


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"insecure-registries": ["x"]}', '{"insecure-registries": []}'),
        ('{"insecure-registries": [\n  "x"\n]}', '{"insecure-registries": []}'),
        ('{"insecure-registries": [\n  "x",\n  "a"\n]}', '{"insecure-registries": [\n  "a"\n]}'),
        ('{"insecure-registries": [\n  "a",\n  "x"\n]}', '{"insecure-registries": [\n  "a"\n]}'),
        ('{"insecure-registries": ["a", "X"]}', '{"insecure-registries": ["a", "X"]}'),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_an_entry_leaves_with_one_comma_and_an_emptied_list_stays(text: str, left: str) -> None:
    assert dj.without_entry(text, "x") == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"insecure-registries": []}\n', "{}\n"),
        ('{\n  "insecure-registries": [],\n  "a": 1\n}', '{\n  "a": 1\n}'),
        ('{\n  "a": 1,\n  "insecure-registries": []\n}', '{\n  "a": 1\n}'),
        ('{"a": 1, "insecure-registries": ["x"], "b": 2}', '{"a": 1, "b": 2}'),
    ],
)
def test_the_key_leaves_cleanly(text: str, left: str) -> None:
    assert dj.without_key(text) == left


def test_the_list_can_be_set_outright() -> None:
    assert dj.with_list('{"insecure-registries": [\n "a"], "b": 1}', ["c", "d"]) == (
        '{"insecure-registries": ["c", "d"], "b": 1}'
    )
    assert dj.with_list('{"b": 1}', []) == '{"b": 1, "insecure-registries": []}'


# Random settings in random formatting.

spaces = st.text(" \t\r\n", max_size=3)
entry_names = st.sampled_from(["a", "b:5000", "10.0.0.0/8", "http://c", "[::1]:5000"])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
settings = st.builds(
    lambda rest, listed, first: (
        rest if listed is None else {dj.KEY: listed, **rest} if first else {**rest, dj.KEY: listed}
    ),
    st.dictionaries(st.text().filter(lambda key: key != dj.KEY), values, max_size=4),
    st.none() | st.lists(entry_names, max_size=4),
    st.booleans(),
)


@st.composite
def formatted(
    draw: Callable[[st.SearchStrategy[str]], str], of: st.SearchStrategy[dict[str, object]] = settings
) -> str:
    """A text for random settings, with random white space at every place where JSON allows some."""

    def text(value: object) -> str:
        if isinstance(value, dict):
            members = [f"{space()}{text(key)}{space()}:{space()}{text(inner)}{space()}" for key, inner in value.items()]
            return "{" + (",".join(members) or space()) + "}"
        if isinstance(value, list):
            return "[" + (",".join(f"{space()}{text(inner)}{space()}" for inner in value) or space()) + "]"
        return json.dumps(value, ensure_ascii=draw(ascii_only) == "yes")

    def space() -> str:
        return draw(spaces)

    ascii_only = st.sampled_from(["yes", "no"])
    return space() + text(draw(of)) + space()  # type: ignore[arg-type]


@given(formatted())
def test_adding_changes_nothing_else(text: str) -> None:
    before, after = dj.parse(text), dj.parse(dj.with_entry(text, X))
    assert dj.entries(after) == [*dj.entries(before), X]
    assert {**before, dj.KEY: None} == {**after, dj.KEY: None}


@given(formatted())
def test_adding_and_removing_gives_the_same_bytes(text: str) -> None:
    """Except for white space inside an empty list or object, and for the key, which `without_key` takes out."""
    before = dj.parse(text)
    back = dj.without_entry(dj.with_entry(text, X), X)
    if before.get(dj.KEY):
        assert back == text
    elif dj.KEY in before:
        assert dj.with_list(text, []) == back
    elif before:
        assert dj.without_key(back) == text
    else:
        assert dj.parse(dj.without_key(back)) == {}


@given(formatted(), entry_names)
def test_removing_changes_nothing_else(text: str, entry: str) -> None:
    before, after = dj.parse(text), dj.parse(dj.without_entry(text, entry))
    assert dj.entries(after) == [other for other in dj.entries(before) if other.removeprefix("http://") != entry]
    assert {**before, dj.KEY: None} == {**after, dj.KEY: None}
    assert dj.KEY not in dj.parse(dj.without_key(text))


@given(st.text() | formatted().flatmap(lambda text: st.integers(0, len(text)).map(lambda cut: text[:cut])))
def test_any_text_is_either_edited_or_refused(text: str) -> None:
    try:
        parsed = dj.parse(text)
    except ConfigUnusable:
        return
    assert not text.strip() or parsed == json.loads(text)
    assert X in dj.entries(dj.parse(dj.with_entry(text, X)))


@given(
    st.binary() | st.lists(st.sampled_from([*b'{}[],:"\\0-1.eEtrufalsnNI/#\n \xff\xc3\xa9\xef\xbb\xbf\0'])).map(bytes),
    st.sampled_from([b"", b'{"insecure-registries":', b'{"a": ', b'["']),
)
def test_any_bytes_are_either_edited_or_refused_with_their_place(data: bytes, before: bytes) -> None:
    fault, text = None, ""
    try:
        text = dj.decode(before + data, "the.json")
        dj.lint(text, known=(), source="the.json")
    except ConfigUnusable as error:
        fault = error.message
    if fault is None:
        assert X in dj.entries(dj.parse(dj.with_entry(text, X)))
    else:
        assert re.match(r"the\.json, line \d+, column \d+: ", fault)
