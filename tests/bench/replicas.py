"""The swarm's stack with one, two and three registries over one S3 server: pulls, pushes and small answers.

Clients go to the three nginx by turns. All of it is on this machine: more registries only help while it has processors
to spare, which the figures show.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from tests.bench.taking_turns import ratio
from tests.live.conftest import free_port
from tests.live.lab.engine import Engine
from tests.live.lab.object_store import object_store
from tests.live.lab.password_service import host_of
from tests.live.lab.run import need
from tests.live.lab.stack import Stack, stack
from tests.live.lab.wire import Wire, basic, digest_of

REPLICAS = (1, 2, 3)
CLIENTS, MEBIBYTES, HEADS = 12, 16, 600
USER, PASSWORD = "bench", "bench"
REPOSITORY = "bench/blobs"
RESOLVED = 3  # seconds after which each nginx has asked again where the registries are
_CURL = ("curl", "-sS", "--fail", "--noproxy", "*")
_Work = Callable[[], object]
_T = TypeVar("_T")


def compare(engine: Engine, folder: Path, cache: Path, rounds: int) -> None:
    """Every work with every number of registries, which take turns."""
    folder.mkdir()
    with (
        object_store(folder / "s3", host_of(engine), free_port()) as store,
        stack(engine, store, cache, folder / "stack", (USER, PASSWORD), max(REPLICAS)) as running,
    ):
        works = _works(running, folder)
        times: dict[str, dict[int, list[float]]] = {what: {n: [] for n in REPLICAS} for what in works}
        for _ in range(rounds):
            for number in REPLICAS:
                running.scale(number)
                time.sleep(RESOLVED)
                for what, (work, _, _) in works.items():
                    times[what][number].append(_seconds(work))
    for what, (_, amount, unit) in works.items():
        medians = {number: statistics.median(each) for number, each in times[what].items()}
        print(f"{what}: " + ", ".join(f"{n} registries {amount / each:.0f} {unit}" for n, each in medians.items()))
        for number in REPLICAS[1:]:
            ratio(f"{number} / 1", medians[1], medians[number])


def _works(running: Stack, folder: Path) -> dict[str, tuple[_Work, float, str]]:
    """What is done, how much of what that is."""
    blob, password = folder / "blob", folder / "password"
    blob.write_bytes(os.urandom(MEBIBYTES << 20))
    password.write_text("".join(f"{name}: {value}\n" for name, value in basic(USER, PASSWORD).items()))
    digest = digest_of(blob.read_bytes())
    nodes = [Wire(address, basic(USER, PASSWORD)) for address in running.addresses]
    nodes[0].put_blob(REPOSITORY, blob.read_bytes())
    amount = CLIENTS * MEBIBYTES
    return {
        f"{CLIENTS} pulls of {MEBIBYTES} MiB": (lambda: _pull(running.addresses, digest), amount, "MiB/s"),
        f"{CLIENTS} pushes of {MEBIBYTES} MiB": (lambda: _push(nodes, password, blob, digest), amount, "MiB/s"),
        f"{HEADS} HEADs of a blob": (lambda: _heads(running.addresses, digest), HEADS * len(nodes), "a second"),
    }


def _pull(addresses: Sequence[str], digest: str) -> None:
    urls = [f"http://{address}/v2/{REPOSITORY}/blobs/{digest}" for address in _by_turns(addresses)]
    _at_once([(*_CURL, "-o", os.devnull, url) for url in urls])


def _push(nodes: Sequence[Wire], password: Path, blob: Path, digest: str) -> None:
    places = [f"http://{node.address}{node.begin_upload(REPOSITORY)}&digest={digest}" for node in _by_turns(nodes)]
    _at_once([(*_CURL, "-T", str(blob), "-H", f"@{password}", place) for place in places])


def _heads(addresses: Sequence[str], digest: str) -> None:
    """So many at each nginx."""
    words = (need("ab", "apache2-utils"), "-q", "-k", "-i", "-n", str(HEADS), "-c", "8")
    _at_once([(*words, f"http://{address}/v2/{REPOSITORY}/blobs/{digest}") for address in addresses])


def _by_turns(all_: Sequence[_T]) -> list[_T]:
    return [all_[number % len(all_)] for number in range(CLIENTS)]


def _at_once(commands: Sequence[Sequence[str]]) -> None:
    clients = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    assert [client.wait() for client in clients] == [0] * len(commands)


def _seconds(work: _Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
