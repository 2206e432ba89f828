"""What devreg's nginx costs: pulls, pushes and small answers through it, side by side with a bare registry.

Both registries have the same folder; the one behind nginx listens on a unix socket, as `registry up` has it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devreg.model.server import Front, NginxProcess, Store
from devreg.server import texts
from devreg.server.definition import BLOBS
from tests.bench.taking_turns import Side, figures, ratio, take_turns
from tests.live.conftest import free_port
from tests.live.lab import processes
from tests.live.lab.plain_registry import Server, plain_registry
from tests.live.lab.run import need, run
from tests.live.lab.wire import Wire, basic, digest_of

CLIENTS, MEBIBYTES, REQUESTS = 4, 128, 4000
USER, PASSWORD = "bench", "bench"
REPOSITORY = "bench/blobs"


@dataclass(frozen=True)
class Way:
    """An address, and the file of headers that lets a client write there."""

    address: str
    headers: Path


def compare(folder: Path, cache: Path, rounds: int) -> None:
    """Both ways to one registry, one client after the other and several at once."""
    folder.mkdir()
    blob = folder / "blob"
    blob.write_bytes(os.urandom(MEBIBYTES << 20))
    with plain_registry(folder, cache) as bare, _served(bare, folder) as front:
        ways = {"bare": Way(bare.address, _headers(folder / "none", {}))}
        ways["nginx"] = Way(front.address, _headers(folder / "password", basic(USER, PASSWORD)))
        digest = digest_of(blob.read_bytes())
        _push(ways["bare"], blob, digest, 1)
        for what, work in (
            (f"{CLIENTS} pulls of {MEBIBYTES} MiB", lambda way: _pull(way, digest)),
            (f"{CLIENTS} pushes of {MEBIBYTES} MiB", lambda way: _push(way, blob, digest, CLIENTS)),
            (f"{REQUESTS} HEADs of a blob", lambda way: _small(way, digest)),
        ):
            times = take_turns({name: _side(work, way) for name, way in ways.items()}, rounds)
            figures(what, times)
            ratio("nginx / bare", times["nginx"], times["bare"])


@contextmanager
def _served(bare: Server, folder: Path) -> Iterator[Server]:
    """What `registry up` runs, over the data of a registry that is there."""
    store = Store(str(folder / "data"), "unix", str(folder / "socket"))
    config = folder / "behind.yml"
    config.write_text(texts.registry(store))
    command = [*bare.command[:-1], str(config)]
    pid = processes.spawn(command, env=dict(os.environ), log=folder / "behind.log")
    try:
        with _nginx(store, folder) as front:
            yield front
    finally:
        processes.end(pid)


@contextmanager
def _nginx(store: Store, folder: Path) -> Iterator[Server]:
    port, users, config = free_port(), folder / "htpasswd", folder / "nginx.conf"
    # Cost 8, as devreg writes its users.
    users.write_text(run(need("htpasswd", "apache2-utils"), "-niBC8", USER, input=PASSWORD).stdout)
    front = Front(
        listen=(f"127.0.0.1:{port}",),
        upstream=f"unix:{store.address}",
        users_file=str(users),
        checker=f"127.0.0.1:{free_port()}",
        blobs_folder=f"{store.folder}/{BLOBS}",
    )
    process = NginxProcess("root", str(folder / "nginx.pid"), str(folder / "errors"), str(folder / "access"))
    config.write_text(texts.nginx(front, process))
    server = Server(port, [need("nginx", "nginx"), "-c", str(config), "-g", "daemon off;"], folder / "nginx.log")
    server.start()
    try:
        yield server
    finally:
        server.end()


def _headers(file: Path, headers: dict[str, str]) -> Path:
    file.write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))
    return file


def _side(work: Callable[[Way], object], way: Way) -> Side:
    @contextmanager
    def side() -> Iterator[Callable[[], object]]:
        yield lambda: work(way)

    return side


def _pull(way: Way, digest: str) -> None:
    url = f"http://{way.address}/v2/{REPOSITORY}/blobs/{digest}"
    _at_once([("-o", os.devnull, url)] * CLIENTS)


def _push(way: Way, blob: Path, digest: str, clients: int) -> None:
    headers = dict(line.split(": ") for line in way.headers.read_text().splitlines())
    wire = Wire(way.address, headers)
    places = [wire.begin_upload(REPOSITORY) for _ in range(clients)]
    _at_once(
        [("-T", str(blob), "-H", f"@{way.headers}", f"http://{way.address}{place}&digest={digest}") for place in places]
    )


def _at_once(requests: Sequence[Sequence[str]]) -> None:
    curl = (need("curl", "curl"), "-sS", "--fail", "--noproxy", "*")
    clients = [subprocess.Popen([*curl, *words]) for words in requests]
    assert [client.wait() for client in clients] == [0] * len(requests)


def _small(way: Way, digest: str) -> None:
    words = ("-q", "-k", "-i", "-n", str(REQUESTS), "-c", "8")
    run(need("ab", "apache2-utils"), *words, f"http://{way.address}/v2/{REPOSITORY}/blobs/{digest}")
