"""Small questions to the engine without its SDK: where they go, and that every failure is left to the SDK."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from devreg.engine import short_way
from devreg.engine.short_way import endpoint, get
from tests.unit.engine.fake import FakeEngine

DEFAULT = "unix:///var/run/docker.sock"
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def config(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the client's config.json would be; nothing in the environment says where the engine is."""
    monkeypatch.delenv("DOCKER_HOST")
    folder = home / ".docker"
    folder.mkdir()
    return folder / "config.json"


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("unix:///run/user/1000/docker.sock", "unix:///run/user/1000/docker.sock"),
        ("unix:///s", "unix:///s"),
        ("unix://relative", None),
        ("tcp://127.0.0.1:2375", None),
        ("ssh://root@far", None),
        ("npipe:////./pipe/docker_engine", None),
        ("http+unix:///s", None),
        ("UNIX:///s", None),
        ("/var/run/docker.sock", None),
        ("nonsense", None),
    ],
)
def test_docker_host_decides(monkeypatch: pytest.MonkeyPatch, config: Path, host: str, found: str | None) -> None:
    config.write_text('{"currentContext": "far"}')
    monkeypatch.setenv("DOCKER_CONTEXT", "farther")
    monkeypatch.setenv("DOCKER_HOST", host)
    assert endpoint() == found


def test_without_any_word_it_is_the_default_socket(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not config.exists()
    assert endpoint() == DEFAULT
    monkeypatch.setenv("DOCKER_HOST", "")
    monkeypatch.setenv("DOCKER_CONTEXT", "")
    assert endpoint() == DEFAULT


@pytest.mark.usefixtures("config")
def test_a_context_of_the_environment_is_for_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "far")
    assert endpoint() is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{}", DEFAULT),
        ('{"auths": {}, "credsStore": "pass"}', DEFAULT),
        ('{"currentContext": "default"}', DEFAULT),
        ('{"currentContext": "far"}', None),
        ("", None),
        ("{", None),
        ("[]", None),
        ("null", None),
    ],
)
def test_a_context_of_the_configuration_and_a_broken_one_are_for_the_sdk(
    config: Path, text: str, found: str | None
) -> None:
    config.write_text(text)
    assert endpoint() == found


def test_a_configuration_that_cannot_be_read_is_for_the_sdk(config: Path) -> None:
    config.mkdir()
    assert endpoint() is None


def test_the_configuration_is_looked_for_at_home(
    config: Path, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config.write_text('{"currentContext": "far"}')
    monkeypatch.delenv("DOCKER_CONFIG")
    assert config == home / ".docker/config.json"
    assert endpoint() is None
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert endpoint() == DEFAULT


def test_a_question_is_answered(fake: FakeEngine) -> None:
    host = os.environ["DOCKER_HOST"]
    assert get(host, "/info") == fake.info
    assert [(each.method, each.path, each.headers["host"]) for each in fake.asked] == [("GET", "/info", "docker")]


@pytest.mark.parametrize("status", [301, 400, 404, 500, 503])
def test_a_refusal_is_no_answer(fake: FakeEngine, status: int) -> None:
    fake.refusals["GET /info"] = (status, "no")
    assert get(os.environ["DOCKER_HOST"], "/info") is None


def test_a_list_is_no_answer(fake: FakeEngine) -> None:
    assert get(os.environ["DOCKER_HOST"], "/networks") is None
    assert fake.requests("GET", "/networks")


@pytest.mark.parametrize("host", ["unix:///no/such/socket", f"unix:///{'x' * 200}", "unix:///dev/null", "unix:///tmp"])
def test_nobody_there_is_no_answer(host: str) -> None:
    assert get(host, "/info") is None


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that nobody serves yet."""
    with tempfile.TemporaryDirectory(prefix="de-", dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/s")
        listener.listen()
        yield listener


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        OK,
        OK + b"Content-Length: 0\r\n\r\n",
        OK + b"Content-Length: 9\r\n\r\nnot JSON!",
        OK + b"Content-Length: 50\r\n\r\n{}",
        OK + b"Content-Length: 4\r\n\r\n\xff\xfe\xff\xfe",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n50\r\n{",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_something_else_there_is_no_answer(listener: socket.socket, answer: bytes) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(answer)

    thread = Thread(target=serve)
    thread.start()
    assert get(f"unix://{listener.getsockname()}", "/info") is None
    thread.join()


def test_silence_is_no_answer(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_way, "_SECONDS", 0.1)
    assert get(f"unix://{listener.getsockname()}", "/info") is None
