"""What devreg's nginx costs: pulls, pushes and small answers through it, side by side with a bare registry.

Both registries have the same folder; the one behind nginx listens on a unix socket, as `registry up` has it. First
everything is on this machine, where nginx and registry and clients share its processors; then the clients are at the
other end of a line of 1 Gbit/s.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from devreg.model.server import Front, NginxProcess, Store
from devreg.server import texts
from devreg.server.definition import BLOBS
from tests.bench.taking_turns import Side, figures, ratio, take_turns
from tests.live.conftest import free_port, free_subnet
from tests.live.lab import processes
from tests.live.lab.front import free_port_of
from tests.live.lab.line import line
from tests.live.lab.plain_registry import Server, plain_registry
from tests.live.lab.run import need, run
from tests.live.lab.wire import Wire, basic, digest_of

CLIENTS, MEBIBYTES, REQUESTS, RATE = 4, 128, 4000, "1gbit"
USER, PASSWORD = "bench", "bench"
REPOSITORY = "bench/blobs"
Work = Callable[["Way"], object]


@dataclass(frozen=True)
class Way:
    """An address, the file of headers that lets a client write there, and the words that a client is run by."""

    address: str
    headers: Path
    under: tuple[str, ...] = ()


def compare(folder: Path, cache: Path, rounds: int) -> None:
    """Both ways to one registry, several clients at once."""
    folder.mkdir()
    blob = folder / "blob"
    blob.write_bytes(os.urandom(MEBIBYTES << 20))
    with line("bench-line", free_subnet(), RATE) as far, _ways(folder, cache, far.host) as ways:
        digest = digest_of(blob.read_bytes())
        _push(ways["bare"], blob, digest, 1)
        works = {
            f"{CLIENTS} pulls of {MEBIBYTES} MiB": lambda way: _pull(way, digest),
            f"{CLIENTS} pushes of {MEBIBYTES} MiB": lambda way: _push(way, blob, digest, CLIENTS),
        }
        small = {f"{REQUESTS} HEADs of a blob": lambda way: _small(way, digest)}
        _measure("", {**works, **small}, ways, rounds)
        over = {name: replace(way, under=far.under) for name, way in ways.items()}
        _measure(f" over {RATE}", works, over, rounds)


def _measure(where: str, works: Mapping[str, Work], ways: Mapping[str, Way], rounds: int) -> None:
    for what, work in works.items():
        times = take_turns({name: _side(work, way) for name, way in ways.items()}, rounds)
        figures(what + where, times)
        ratio("nginx / bare", times["nginx"], times["bare"])


@contextmanager
def _ways(folder: Path, cache: Path, host: str) -> Iterator[dict[str, Way]]:
    """A registry with nothing before it, and what `registry up` runs over the same data, at that address."""
    data, port = str(folder / "data"), free_port_of(host)
    behind = Store(data, "unix", str(folder / "socket"))
    with plain_registry(folder, cache) as program, ExitStack() as cleaning:
        for name, store in (("bare", Store(data, "tcp", f"{host}:{port}")), ("behind", behind)):
            config = folder / f"{name}.yml"
            config.write_text(texts.registry(store))
            command = [*program.command[:-1], str(config)]
            pid = processes.spawn(command, env=dict(os.environ), log=folder / f"{name}.log")
            cleaning.callback(processes.end, pid)
        address = cleaning.enter_context(_nginx(behind, folder, host))
        yield {
            "bare": Way(f"{host}:{port}", _headers(folder / "none", {})),
            "nginx": Way(address, _headers(folder / "password", basic(USER, PASSWORD))),
        }


@contextmanager
def _nginx(store: Store, folder: Path, host: str) -> Iterator[str]:
    port, users, config = free_port(), folder / "htpasswd", folder / "nginx.conf"
    # Cost 8, as devreg writes its users.
    users.write_text(run(need("htpasswd", "apache2-utils"), "-niBC8", USER, input=PASSWORD).stdout)
    front = Front(
        listen=(f"{host}:{port}", f"127.0.0.1:{port}"),
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
        yield f"{host}:{port}"
    finally:
        server.end()


def _headers(file: Path, headers: dict[str, str]) -> Path:
    file.write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))
    return file


def _side(work: Work, way: Way) -> Side:
    @contextmanager
    def side() -> Iterator[Callable[[], object]]:
        yield lambda: work(way)

    return side


def _pull(way: Way, digest: str) -> None:
    url = f"http://{way.address}/v2/{REPOSITORY}/blobs/{digest}"
    _at_once(way, [("-o", os.devnull, url)] * CLIENTS)


def _push(way: Way, blob: Path, digest: str, clients: int) -> None:
    headers = dict(header.split(": ") for header in way.headers.read_text().splitlines())
    wire = Wire(way.address, headers)
    places = [wire.begin_upload(REPOSITORY) for _ in range(clients)]
    words = ("-T", str(blob), "-H", f"@{way.headers}")
    _at_once(way, [(*words, f"http://{way.address}{place}&digest={digest}") for place in places])


def _at_once(way: Way, requests: Sequence[Sequence[str]]) -> None:
    curl = (*way.under, need("curl", "curl"), "-sS", "--fail", "--noproxy", "*")
    clients = [subprocess.Popen([*curl, *words]) for words in requests]
    assert [client.wait() for client in clients] == [0] * len(requests)


def _small(way: Way, digest: str) -> None:
    words = ("-q", "-k", "-i", "-n", str(REQUESTS), "-c", "8")
    run(need("ab", "apache2-utils"), *words, f"http://{way.address}/v2/{REPOSITORY}/blobs/{digest}")
