"""JSON as Go reads it: what it takes and refuses at the borders, and where the parts of a text are."""

import json
from json import JSONDecodeError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.go_json import LEVELS, Span, read, spans

TAKEN = {
    "1.7976931348623158e308": 1.7976931348623157e308,
    "-" + "9" * 308: -int("9" * 308),
    "1e-999": 0.0,
    "-0": 0,
    " [ ]\r\n": [],
    '"\\ud83d\\ude00"': "\U0001f600",
    '"\\ud800\\ud83d\\ude00\\udc00x"': "\ufffd\U0001f600\ufffdx",
    '{"\\ud800": 1}': {"\ufffd": 1},
    '["\x7f\u2028\ufeff"]': ["\x7f\u2028\ufeff"],
    "null": None,
}
# A text, where its fault is, what is said of it.
REFUSED = [
    ("", 0, "a value is expected"),
    ("[1.797693134862315808e308]", 1, "so big"),
    ("[-" + "9" * 309 + "]", 1, "so big"),
    ("[" + "9" * 4301 + "]", 1, "so big"),
    ("[NaN]", 1, "NaN is no JSON number"),
    ("[1, -Infinity]", 4, "-Infinity is no JSON number"),
    ("[nan]", 1, "a value is expected"),
    ("[-]", 1, "a value is expected"),
    ("[1.]", 2, "a comma or ] is expected"),
    ("[.5]", 1, "a value is expected"),
    ("[1e]", 2, "a comma or ] is expected"),
    ("[truer]", 5, "a comma or ] is expected"),
    ("[\u0661]", 1, "a value is expected"),
    ("[1\u00a0]", 2, "a comma or ] is expected"),
    ("[1}", 2, "a comma or ] is expected"),
    ("[1 ,\n]", 3, "a trailing comma"),
    ('{"a": 1,}', 7, "a trailing comma"),
    ('{"a": 1, b: 2}', 9, "a key in double quotes is expected"),
    ('{"a"}', 4, "a colon is expected"),
    ('{"a":1', 6, "a comma or } is expected"),
    ('["a', 1, "unterminated string"),
    ('["\\x"]', 2, "invalid"),
    ('["\x1f"]', 2, "invalid control character"),
    ("[] 1", 3, "more behind the end"),
    ('{"a": {"b": 1, "b": 2}}', 15, "the key 'b' is there twice"),
]


@pytest.mark.parametrize("text", TAKEN)
def test_what_go_takes(text: str) -> None:
    assert read(text) == TAKEN[text]
    assert type(read(text)) is type(TAKEN[text])


@pytest.mark.parametrize(("text", "place", "words"), REFUSED, ids=[text[:20] for text, _, _ in REFUSED])
def test_what_go_refuses(text: str, place: int, words: str) -> None:
    with pytest.raises(JSONDecodeError) as caught:
        read(text)
    assert (caught.value.pos, words in caught.value.msg) == (place, True), caught.value


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
def test_the_depth_that_go_takes(opening: str, closing: str) -> None:
    value, levels = read(f"{opening * (LEVELS - 1)}[]{closing * (LEVELS - 1)}"), 1
    while value:
        assert isinstance(value, dict | list)
        value = value["a"] if isinstance(value, dict) else value[0]
        levels += 1
    assert levels == LEVELS
    with pytest.raises(JSONDecodeError, match="nested more than 10,000 deep") as caught:
        read(opening * (LEVELS + 1))
    assert caught.value.pos == len(opening) * LEVELS


def test_where_the_parts_are() -> None:
    text = '{ "a" : [1, {"]": "\\""}] ,"\\u0062":"x" }'
    first, second = spans(text, 0)
    assert (text[first.start : first.key_end], text[first.value : first.end]) == ('"a"', '[1, {"]": "\\""}]')
    assert (second.key, text[second.start : second.end]) == ("b", '"\\u0062":"x"')
    assert list(spans(text, first.value)) == [Span(9, "", 9, 9, 10), Span(12, "", 12, 12, 23)]
    assert list(spans("[ ]", 0)) == list(spans("{\n}", 0)) == []


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES, st.booleans(), st.none() | st.sampled_from([0, 2, "\t"]))
def test_what_python_writes_is_read_as_it_was(value: object, ascii_only: bool, indent: int | str | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert read(text) == value
    if isinstance(value, dict):
        assert {span.key: json.loads(text[span.value : span.end]) for span in spans(text, 0)} == value
    if isinstance(value, list):
        assert [json.loads(text[span.value : span.end]) for span in spans(text, 0)] == value
