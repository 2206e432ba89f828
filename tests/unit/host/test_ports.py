from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from devreg.host.ports import holder
from devreg.model.server import Listen


@pytest.fixture
def port() -> Iterator[int]:
    """A port of 127.0.0.1 that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("ip", ["127.0.0.1", "0.0.0.0", "::"])  # noqa: S104 - nobody listens there
def test_the_program_on_the_port_is_named(port: int, ip: str) -> None:
    told = holder(Listen(ip, port))
    assert told is not None
    assert f"(pid {os.getpid()})" in told


def test_another_address_is_free(port: int) -> None:
    assert holder(Listen("127.0.0.2", port)) is None


def test_a_port_is_free_when_nobody_listens_any_more() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = int(listener.getsockname()[1])
    assert holder(Listen("127.0.0.1", number)) is None


def test_a_connection_that_only_comes_from_the_port_holds_nothing(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        assert holder(Listen("127.0.0.1", client.getsockname()[1])) is None
