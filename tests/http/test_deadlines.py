"""Servers that never stop beginning to answer: each wait is short, all of them together have an end."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from threading import Event, Thread

import httpx
import pytest
import trustme

from devreg.model.address import Address
from devreg.model.errors import RegistryUnreachable
from devreg.model.manifest import Descriptor
from devreg.model.tls import Connection, Tls
from devreg.model.wire import digest_of
from devreg.registry import deadline, lane
from devreg.registry.client import Registry, connect
from devreg.registry.transport import own_context
from tests.http.server import Answer, Open, Serve, server_context

LONG = 500
"""Pieces: they take ten seconds."""

HEADS = {
    "processing": Answer(raw=b"", drip=[b"HTTP/1.1 102 Processing\r\n\r\n"] * LONG),
    "early hints": Answer(raw=b"", drip=[b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"] * LONG),
    "a status": Answer(raw=b"HTTP/1.1 200 O", drip=[b"K"] * LONG),
    "a header": Answer(raw=b"HTTP/1.1 200 OK\r\nX: ", drip=[b"y"] * LONG),
    "headers": Answer(raw=b"HTTP/1.1 200 OK\r\n", drip=[b"X: y\r\n"] * LONG),
}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODIES = {
    "a body": Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", drip=[b" "] * LONG),
    "a chunk's size": Answer(raw=CHUNKED, drip=[b"0"] * LONG),
    "a trailer": Answer(raw=CHUNKED + b"0\r\nX: ", drip=[b"y"] * LONG),
}
REQUESTS: dict[str, Callable[[Registry], object]] = {
    "a list": lambda registry: list(registry.tags("app")),
    "a manifest": lambda registry: registry.manifest("app", "1"),
    "a digest": lambda registry: registry.head_manifest("app", "1"),
    "an upload": lambda registry: registry.prove_write("app"),
    "a blob": lambda registry: list(registry.read_blob("app", Descriptor("x", digest_of(b""), 9)).read(0)),
}


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("ask", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("answer", HEADS.values(), ids=HEADS)
def test_a_head_without_end(serve: Serve, opened: Open, answer: Answer, ask: Callable[[Registry], object]) -> None:
    server = serve(answer)
    with pytest.raises(RegistryUnreachable, match="took too long to answer"):
        ask(opened(server, timeout=0.1))
    assert server.outwaited == 0


@pytest.mark.parametrize("answer", BODIES.values(), ids=BODIES)
def test_a_small_answer_without_end(
    serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(deadline, "MAX_SECONDS", 0.1)
    server = serve(answer)
    with pytest.raises(RegistryUnreachable, match="took too long to answer"):
        opened(server).manifest("app", "1")
    assert server.outwaited == 0


def test_a_registry_is_not_waited_for_either(serve: Serve, opened: Open) -> None:
    server = serve(HEADS["processing"], bare=True)
    with pytest.raises(RegistryUnreachable, match="took too long to answer"):
        opened(server, timeout=0.1)
    assert server.outwaited == 0


@pytest.mark.usefixtures("known_authority")
def test_over_tls(serve: Serve, opened: Open, authority: trustme.CA) -> None:
    server = serve(HEADS["processing"], server_context(authority))
    with pytest.raises(RegistryUnreachable, match="took too long to answer"):
        opened(server, tls=Tls.VERIFIED, timeout=0.5).manifest("app", "1")
    assert server.outwaited == 0


def test_through_a_proxy(serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(HEADS["processing"], bare=True)
    for scheme in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(scheme, proxy.url)
    for tls in (Tls.PLAIN, Tls.VERIFIED):
        with pytest.raises(RegistryUnreachable, match="took too long to answer"):
            opened(proxy, address="registry.example", tls=tls, timeout=0.1)
    assert proxy.outwaited == 0


@pytest.mark.parametrize("answer", [HEADS["headers"], BODIES["a trailer"]], ids=["head", "body"])
def test_the_short_way_alone(serve: Serve, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    monkeypatch.setattr(deadline, "MAX_SECONDS", 0.1)
    server = serve(answer)
    with closing(lane.Lane(httpx.URL(server.url), None, timeout=0.1)) as way:
        assert way.ask("GET", "/v2/app/manifests/1", {}) is None
    assert server.outwaited == 0


def test_an_answer_that_follows_an_early_one(serve: Serve, opened: Open) -> None:
    raw = b'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"tags":["1"]}'
    assert list(opened(serve(Answer(raw=raw))).tags("app")) == ["1"]


def test_a_blob_takes_as_long_as_it_takes(serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "MAX_SECONDS", 0.3)
    monkeypatch.setattr(deadline, "ENOUGH", 1)
    content = bytes(range(60))
    server = serve(
        Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n", drip=[b"%c" % each for each in content])
    )
    descriptor = Descriptor("x", digest_of(content), len(content))
    assert b"".join(opened(server, timeout=0.2).read_blob("app", descriptor).read(0)) == content


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    "answer",
    [*BODIES.values(), Answer(raw=b"HTTP/1.1 206 Partial Content\r\nContent-Length: 9999\r\n\r\n ")],
    ids=[*BODIES, "a byte a connection"],
)
def test_a_blob_that_brings_next_to_nothing(
    serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setattr(deadline, "MAX_SECONDS", 0.5)
    server = serve(answer)
    with pytest.raises(RegistryUnreachable, match="comes too slowly"):
        list(opened(server).read_blob("app", Descriptor("x", digest_of(b""), 9999)).read(0))
    assert server.outwaited == 0


def test_a_blob_may_be_used_slowly(serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "MAX_SECONDS", 0.3)
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
    server = serve(Answer(raw=raw, drip=[b"x"] * 20))
    descriptor = Descriptor("x", digest_of(b"x" * 20), 20)
    monkeypatch.setattr(deadline, "ENOUGH", 10)
    for piece in opened(server).read_blob("app", descriptor).read(0):
        assert piece
        Event().wait(0.05)


@pytest.fixture
def handshake_that_drips() -> Iterator[tuple[str, Event]]:
    """Where a server listens whose TLS handshake has no end, and whether somebody listened to ten seconds of it."""
    outwaited = Event()

    def drip() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            with line, suppress(OSError):
                line.recv(65536)
                line.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")  # a ServerHello of 16 KiB
                for _ in range(500):
                    line.sendall(b"\x03")
                    outwaited.wait(0.02)
                outwaited.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=drip, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", outwaited
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_handshake_without_end(handshake_that_drips: tuple[str, Event]) -> None:
    host, outwaited = handshake_that_drips
    connection = Connection(Address.parse(host), Tls.VERIFIED, secrets_over_http=False)
    with pytest.raises(RegistryUnreachable, match="does not answer"):
        connect(connection, user_agent="devreg/test", timeout=0.1)
    url = httpx.URL(f"https://{host}")
    with closing(lane.Lane(url, lambda: own_context(connection), timeout=0.1)) as way:
        assert way.ask("GET", "/v2/app/manifests/1", {}) is None
    assert not outwaited.is_set()
