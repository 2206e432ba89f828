"""JSON from archives, read without trust."""

import pytest

from devreg.model.archive_json import SMALL, a_list, a_text, an_object, damaged, read_json, within_bounds
from devreg.model.errors import ArchiveUnusable


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\x00", b"[" * 200_000, b'{"a":' * 100_000, b"1" * 10_000, b'{"a": 1} more', b"'a'"],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ArchiveUnusable, match=r"a\.json is not JSON"):
        read_json(body, "a.json")


def test_json_is_read() -> None:
    assert read_json(b' {"a": [1, null]} ', "it") == {"a": [1, None]}


@pytest.mark.parametrize("value", [None, [], "a", 1, True])
def test_what_is_no_object(value: object) -> None:
    assert an_object({"a": value}, "it") == {"a": value}
    with pytest.raises(ArchiveUnusable, match="it is not a JSON object"):
        an_object(value, "it")


@pytest.mark.parametrize("value", [{}, "a", 1, False])
def test_what_is_no_list(value: object) -> None:
    assert a_list([value], "it") == [value]
    with pytest.raises(ArchiveUnusable, match="it is not a list"):
        a_list(value, "it")


def test_null_is_a_list_of_nothing_as_go_writes_it() -> None:
    assert a_list(None, "it") == []


@pytest.mark.parametrize("value", [{}, [], None, 1, b"a"])
def test_what_is_no_text(value: object) -> None:
    assert a_text("", "it") == ""
    with pytest.raises(ArchiveUnusable, match="it is not a text"):
        a_text(value, "it")


def test_names_from_an_archive_do_no_harm_to_the_terminal() -> None:
    message = damaged("\x1b[2J evil\nname \ud800 " + "x" * 10_000).message
    assert message.isprintable()
    assert "[2J evil" in message
    assert len(message) < 1000
    message.encode()


class TestWithinBounds:
    def test_each_is_read_once(self) -> None:
        asked: list[str] = []

        def read(name: str) -> bytes | None:
            asked.append(name)
            return None if name == "none" else name.encode()

        bounded = within_bounds(read)
        assert [bounded(name) for name in ("a", "none", "a", "none")] == [b"a", None, b"a", None]
        assert asked == ["a", "none"]

    def test_more_than_a_few_dozen_mebibytes_are_refused(self) -> None:
        bounded = within_bounds(lambda _: bytes(SMALL))
        for number in range(8):
            bounded(str(number))
        with pytest.raises(ArchiveUnusable, match=r"more than \d+ bytes together"):
            bounded("one more")
