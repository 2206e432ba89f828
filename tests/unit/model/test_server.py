from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.errors import UsageError
from devreg.model.server import Container, Listen, memory

ANY = str(IPv4Address(0))
BASE = Container("nginx", "devreg-nginx", "nginx:1", ("nginx",), {"/run": "v"}, {"/f": "x"}, None, Listen("::1", 5), 80)


@pytest.mark.parametrize(
    ("text", "expected", "shown", "address"),
    [
        ("127.0.0.1:5000", Listen("127.0.0.1", 5000), "127.0.0.1:5000", "127.0.0.1:5000"),
        ("localhost:5000", Listen("127.0.0.1", 5000), "127.0.0.1:5000", "127.0.0.1:5000"),
        ("0.0.0.0:80", Listen(ANY, 80), "0.0.0.0:80", "127.0.0.1:80"),
        (":80", Listen(ANY, 80), "0.0.0.0:80", "127.0.0.1:80"),
        ("[::1]:5000", Listen("::1", 5000), "[::1]:5000", "[::1]:5000"),
        ("[::]:5000", Listen("::", 5000), "[::]:5000", "[::1]:5000"),
        ("10.0.0.5:65535", Listen("10.0.0.5", 65535), "10.0.0.5:65535", "10.0.0.5:65535"),
    ],
)
def test_where_to_listen(text: str, expected: Listen, shown: str, address: str) -> None:
    listen = Listen.parse(text)
    assert listen == expected
    assert str(listen) == shown
    assert listen.address == address


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "port"),
        ("5000", "port"),
        ("127.0.0.1", "port"),
        ("127.0.0.1:", "port"),
        ("127.0.0.1:0", "port"),
        ("127.0.0.1:65536", "port"),
        ("127.0.0.1:http", "port"),
        ("127.0.0.1:-5", "port"),
        ("127.0.0.1:\uff15", "port"),
        ("example.com:5000", "'example.com' is not an IP address"),
        ("300.1.1.1:5000", "not an IP address"),
        ("*:5000", "not an IP address"),
        ("http://127.0.0.1:5000", "not an IP address"),
    ],
)
def test_where_nobody_can_listen(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        Listen.parse(text)
    assert fault in caught.value.message
    assert caught.value.hint


@given(st.text() | st.from_regex(r"[0-9a-f:.\[\]]{0,20}:[0-9]{1,6}", fullmatch=True))
def test_any_text_is_a_place_or_a_usage_error(text: str) -> None:
    try:
        listen = Listen.parse(text)
    except UsageError:
        return
    assert Listen.parse(str(listen)) == listen


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Listen("127.0.0.1", 1), Listen("127.0.0.1", 1), True),
        (Listen("127.0.0.1", 1), Listen("127.0.0.1", 2), False),
        (Listen("127.0.0.1", 1), Listen("127.0.0.2", 1), False),
        (Listen("127.0.0.1", 1), Listen(ANY, 1), True),
        (Listen("::", 1), Listen("127.0.0.1", 1), True),
        (Listen("::1", 1), Listen("127.0.0.1", 1), False),
    ],
)
def test_who_cannot_listen_beside_whom(one: Listen, other: Listen, expected: bool) -> None:
    assert one.collides(other) is expected
    assert other.collides(one) is expected


def test_loopback() -> None:
    assert Listen("127.0.0.1", 1).is_loopback
    assert Listen("::1", 1).is_loopback
    assert not Listen(ANY, 1).is_loopback


def test_equal_definitions_have_equal_fingerprints() -> None:
    assert dataclasses.replace(BASE).fingerprint == BASE.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"image": "nginx:2"},
        {"command": ("nginx", "-g", "daemon off;")},
        {"mounts": {"/run": "w"}},
        {"files": {"/f": "y"}},
        {"user": "0:101"},
        {"publish": Listen("::1", 6)},
        {"publish": None},
        {"inner_port": 81},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_change_of_a_definition_shows_in_its_fingerprint(change: dict[str, object]) -> None:
    changed: Container = dataclasses.replace(BASE, **change)  # type: ignore[arg-type]
    assert changed.fingerprint != BASE.fingerprint


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1g", 2**30), ("512m", 2**29), ("64M", 2**26), ("2GB", 2**31), (str(2**27), 2**27), ("none", None)],
)
def test_an_amount_of_memory(text: str, expected: int | None) -> None:
    assert memory(text) == expected


@pytest.mark.parametrize("text", ["", "0", "63m", "1t", "-1g", "1.5g", "g", "1 g", "None", "٣g"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(UsageError, match="no amount"):
        memory(text)


def test_each_folder_of_files_is_named_once() -> None:
    several = dataclasses.replace(BASE, files={"/etc/a/x": "", "/etc/a/y": "", "/b/z": ""})
    assert several.file_folders == ("/b", "/etc/a")
