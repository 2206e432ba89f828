"""Uploads to a real registry over a line on which things go wrong: afterwards the blob is there, whole and right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Timer

import pytest

from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.tls import Connection, Tls
from devreg.registry.client import connect
from devreg.registry.upload import BUFFERED
from tests.live.lab.fault_proxy import Cut, Fault, FaultProxy, Instead, Late, Lost
from tests.live.lab.plain_registry import Server, plain_registry, recipe
from tests.live.lab.wire import Wire

DATA = hashlib.shake_128(b"layer").digest(3_000_000)
LARGE = DATA * 14  # 42 MB
CREDENTIALS = ("pusher", "correct horse: battery/staple+")
CUTS = 50  # in each direction
AT_ONCE = 16

_repositories = (f"faults/r{number}" for number in count())


class Content:
    """A blob, in blocks. `size` and `digest` are known from the start, or with `made` at the end only.

    `at` is done once, in the middle of the first reading.
    """

    def __init__(self, data: bytes, *, made: bool = False, at: Callable[[], None] | None = None) -> None:
        self.data = data
        self.known = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.digest = None if made else self.known
        self.size = None if made else len(data)
        self.at = at

    def read(self, offset: int) -> Iterator[bytes]:
        for start in range(offset, len(self.data), 100_000):
            if self.at and start >= len(self.data) // 2:
                at, self.at = self.at, None
                at()
            yield self.data[start : start + 100_000]
        self.digest, self.size = self.known, len(self.data)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Server]:
    with plain_registry(tmp_path_factory.mktemp("registry"), cache) as server:
        yield server


@pytest.fixture(scope="module")
def nginx(registry: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with recipe(registry, tmp_path_factory.mktemp("nginx"), CREDENTIALS) as server:
        yield server


def push(address: str, content: Content, registry: Server, then: Callable[[], None]) -> tuple[int, list[str]]:
    """Upload to a repository of its own at `address`, and look what the registry has afterwards.

    `then` is done once the connection is there. Returns the bytes sent, and what was told.
    """
    repository, told = next(_repositories), list[str]()
    connection = Connection(Address.parse(address), Tls.PLAIN, secrets_over_http=True)
    with connect(connection, credentials=Credentials(*CREDENTIALS), user_agent="devreg/test") as client:
        then()
        sent = client.upload(
            repository, content, begun=None, note=lambda _: None, progress=lambda _, words: told.append(words)
        )
    answer = Wire(registry.address)("GET", f"/v2/{repository}/blobs/{content.known}")
    assert (answer.status, answer.body == content.data) == (200, True)
    return sent, [words for words in told if words]


def through(
    server: Server, registry: Server, content: Content, *cuts: Cut, faults: Mapping[int, Fault] | None = None
) -> tuple[FaultProxy, int, list[str]]:
    """Push through a proxy on which things go wrong; the proxy, and what `push` returns."""
    with FaultProxy(server.port, *cuts, faults=faults) as proxy:
        sent, told = push(proxy.address, content, registry, proxy.arm)
    return proxy, sent, told


def lines(proxy: FaultProxy) -> str:
    return " ".join(line.partition(" ")[0] for line in proxy.requests)


def spread(total: int) -> list[int]:
    return [1 + total * step // CUTS for step in range(CUTS)]


@pytest.mark.parametrize("made", [False, True])
def test_a_connection_cut_anywhere(registry: Server, made: bool) -> None:
    calm, sent, told = through(registry, registry, Content(DATA, made=made))
    assert (lines(calm), sent, told) == ("POST PATCH PUT", len(DATA), [])
    cuts = [Cut(way, after) for way, total in calm.passed.items() for after in spread(total)]

    def cut(where: Cut) -> str:
        return lines(through(registry, registry, Content(DATA, made=made), where)[0])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        requests = list(pool.map(cut, cuts))
    assert len(requests) == 2 * CUTS
    assert not [each for each in requests if each == "POST PATCH PUT"], "each cut was met"


@pytest.mark.parametrize("made", [False, True])
@pytest.mark.parametrize("fault", [Instead(429, "Retry-After: 1\r\n"), Instead(500), Instead(502), Lost(), Late(0.3)])
def test_a_fault_at_any_request(registry: Server, fault: Fault, made: bool) -> None:
    def push_with(number: int) -> str:
        return lines(through(registry, registry, Content(DATA, made=made), faults={number: fault})[0])

    with ThreadPoolExecutor(3) as pool:
        for requests in pool.map(push_with, range(3)):
            assert (requests == "POST PATCH PUT") == isinstance(fault, Late)


def test_faults_while_asking_after_a_fault(registry: Server) -> None:
    faults: dict[int, Fault] = {1: Lost(), 2: Instead(503), 4: Lost()}
    proxy, _, told = through(registry, registry, Content(DATA), faults=faults)
    assert lines(proxy) == "POST PATCH HEAD HEAD GET HEAD GET POST PATCH PUT", "this registry keeps nothing of it"
    assert len([words for words in told if words.startswith("waiting")]) == len(faults)


def test_the_registry_is_killed_and_comes_back(tmp_path: Path, cache: Path) -> None:
    with plain_registry(tmp_path, cache) as registry:
        content = Content(LARGE, at=lambda: restart(registry))
        _, told = push(registry.address, content, registry, lambda: None)
    assert told


def restart(server: Server) -> None:
    """Kill it, and have it back some seconds later."""
    server.kill()
    Timer(2.5, server.start).start()


def test_nginx_is_killed_and_comes_back(registry: Server, nginx: Server) -> None:
    content = Content(LARGE, made=True, at=lambda: restart(nginx))
    sent, told = push(nginx.address, content, registry, lambda: None)
    assert told
    assert sent < 2 * len(LARGE)


def test_behind_the_recipe_nothing_is_sent_in_vain(registry: Server, nginx: Server) -> None:
    proxy, sent, told = through(nginx, registry, Content(LARGE))
    assert (lines(proxy), sent, told) == ("POST POST PATCH PUT", len(LARGE), [])


def test_behind_the_recipe_a_line_that_breaks_often_gets_through(registry: Server, nginx: Server) -> None:
    """nginx takes requests in whole and throws those away that break: only smaller ones bring the upload further."""
    cuts = [Cut("up", 20_000_000)] * 4
    _, sent, told = through(nginx, registry, Content(LARGE), *cuts)
    assert [words for words in told if words.startswith("resumed at")]
    assert sent < len(LARGE) + 20_000_000 + 3 * BUFFERED + 4 * 2**20


def test_behind_an_nginx_that_limits_bodies(registry: Server, tmp_path: Path) -> None:
    """Where `docker push` ends with 413."""
    with recipe(registry, tmp_path, CREDENTIALS, limit="") as limited:
        for made in (False, True):
            proxy, _, told = through(limited, registry, Content(DATA, made=made))
            assert told == ["waiting: 413 Request Entity Too Large"]
            assert lines(proxy).endswith("POST PATCH PATCH PATCH PUT")
