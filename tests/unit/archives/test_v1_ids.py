"""Which layer a folder of an old docker-archive holds."""

import hashlib
import json

import pytest

from devreg.archives.v1_ids import layer_of
from tests.unit.direct.built import Image, by_engine_20, image, links_of_engine_20, sha256

DIFF_IDS = tuple(sha256(bytes([number])) for number in range(4))


def folders(one: Image) -> dict[str, bytes]:
    return {name.partition("/")[0]: text for name, text in by_engine_20(one).items() if name.endswith("/json")}


def test_each_folder_of_an_image_is_told() -> None:
    one = image("a", "b", "c")
    assert {layer_of(name, text, one.diff_ids) for name, text in folders(one).items()} == set(one.diff_ids)


def test_layers_of_the_same_content_have_folders_of_their_own() -> None:
    first = image("a", "b").layers
    one = Image((*first, first[0], first[1]))
    assert len(links_of_engine_20(one)) == 2
    told = [layer_of(name, text, one.diff_ids) for name, text in folders(one).items()]
    assert sorted(map(str, told)) == sorted(one.diff_ids)


def test_the_name_is_that_of_the_engine() -> None:
    """By hand: the JSON that CreateID hashes, for a second layer."""
    chain = sha256(f"{DIFF_IDS[0]} {DIFF_IDS[1]}".encode())
    parent = "p" * 64
    hashed = (
        '{"architecture":"amd64","config":{"Cmd":["\\u003ca\\u003e\\u0026é\\u2028"]},'
        f'"layer_id":"{chain}","os":"linux","parent":"sha256:{parent}"}}'
    )
    name = hashlib.sha256(hashed.encode()).hexdigest()
    saved = {
        "id": name,
        "parent": parent,
        "architecture": "amd64",
        "config": {"Cmd": ["<a>&é\u2028"]},
        "os": "linux",
    }
    assert layer_of(name, json.dumps(saved).encode(), DIFF_IDS) == DIFF_IDS[1]


def test_a_folder_of_another_image_is_not_told() -> None:
    one, other = image("a", "b"), image("c")
    for name, text in folders(one).items():
        assert layer_of(name, text, other.diff_ids) is None
        assert layer_of("0" * 64, text, one.diff_ids) is None
        assert layer_of(name, text, ()) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no JSON",
        b"[]",
        b"null",
        b"1",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a": ' + b"[" * 100_000,
        b'{"a": "\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"parent": {"a": 1}}',
        b'{"parent": "\\ud800"}',
        b'{"a": NaN, "b": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_makes_no_sense_tells_nothing(text: bytes) -> None:
    assert layer_of("0" * 64, text, DIFF_IDS) is None
