"""Whole pushes to a real registry over a line on which things go wrong: by devreg, and for comparison by others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import docker
import pytest

from tests.live.conftest import client
from tests.live.lab.contents import contents
from tests.live.lab.devreg import Devreg
from tests.live.lab.door import door
from tests.live.lab.engine import Engine
from tests.live.lab.fault_proxy import Cut, Fault, FaultProxy, Instead, Lost
from tests.live.lab.gate import Gate
from tests.live.lab.images import multi_layer_image
from tests.live.lab.plain_registry import Server, plain_registry
from tests.live.lab.run import need, run
from tests.live.lab.wire import Wire

IMAGE = "faults/app:1"
CUTS = 20  # in each direction
APART = 7  # requests between two faults of one push
POINTS = 4  # for the comparison
AT_ONCE = 6
STATUSES = {"429": Instead(429, "Retry-After: 1\r\n"), "500": Instead(500), "502": Instead(502)}
FAULTS: dict[str, Fault] = {**STATUSES, "answer lost": Lost()}

_numbers = count()
By = Callable[["Pushes", str, Path], bool]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Server]:
    with plain_registry(tmp_path_factory.mktemp("registry"), cache) as server:
        yield server


@dataclass(frozen=True)
class Pushes:
    """Pushes of one image of an engine, each by a new user, to a repository of its own at a proxy of its own.

    `done` are those that ended well: the repositories. `failed`: what the others said.
    """

    registry: Server
    engine: Engine
    sdk: docker.DockerClient
    folder: Path
    id: str
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def by_devreg(self, name: str, folder: Path) -> bool:
        """A whole `devreg push`."""
        done = Devreg(folder, self.engine.host)("push", IMAGE, "--as", name, "--via", "direct")
        if done.code:
            self.failed.append(done.stderr)
        return done.code == 0

    def by_docker(self, name: str, folder: Path) -> bool:
        """The engine's own push."""
        self.sdk.images.get(IMAGE).tag(name)
        env = {"DOCKER_HOST": self.engine.host, "DOCKER_CONFIG": str(folder)}
        return self._ends_well(need("docker", "docker.io"), "push", name, env=env)

    def by_skopeo(self, name: str, folder: Path) -> bool:
        """skopeo, with the engine as its source."""
        options = ("--src-daemon-host", self.engine.host, "--dest-tls-verify=false")
        words = ("copy", *options, f"docker-daemon:{IMAGE}", f"docker://{name}")
        return self._ends_well(need("skopeo", "skopeo"), *words, env={"HOME": str(folder)})

    def _ends_well(self, *words: str, env: Mapping[str, str]) -> bool:
        return run(*words, env=env, check=False).returncode == 0

    def through(
        self, *cuts: Cut, faults: Mapping[int, Fault] | None = None, by: By = by_devreg
    ) -> tuple[FaultProxy, bool]:
        """Push through a proxy on which things go wrong; whether that ended well, the proxy tells what came by."""
        with FaultProxy(self.registry.port, *cuts, faults=faults) as proxy:
            proxy.arm()
            with door(int(proxy.address.rpartition(":")[2])) as address:
                return proxy, self.push(address, by)

    def push(self, address: str, by: By = by_devreg) -> bool:
        """Push to a new repository at that address, which joins `done` where it ends well."""
        repository = f"r{next(_numbers)}"
        folder = self.folder / repository
        folder.mkdir()
        if not by(self, f"{address}/{repository}:1", folder):
            return False
        assert "1" in contents(Wire(self.registry.address), repository).tags
        self.done.append(repository)
        return True

    def check(self) -> None:
        """All that ended well is complete, and an engine that has nothing of it gets the same image from each."""
        digests = {contents(Wire(self.registry.address), repository).tags["1"] for repository in self.done}
        assert len(digests) == 1
        self.forget()
        for repository in self.done:
            assert self.sdk.images.pull(f"{self.registry.address}/{repository}", tag="1").id == self.id
            self.sdk.images.remove(self.id, force=True)

    def forget(self) -> None:
        """Remove the image by all its names."""
        for name in self.sdk.images.get(self.id).tags:
            self.sdk.images.remove(name, force=True)
        assert self.id not in [each.id for each in self.sdk.images.list(all=True)]


@pytest.fixture
def pushes(registry: Server, engine: Engine, tmp_path: Path) -> Iterator[Pushes]:
    with client(engine) as sdk:
        id = str(sdk.images.get(multi_layer_image(sdk, IMAGE, 3, 1.0)).id)
        yield Pushes(registry, engine, sdk, tmp_path, id)


def spread(total: int, amount: int) -> list[int]:
    return [1 + total * step // amount for step in range(amount)]


def test_a_connection_cut_anywhere(pushes: Pushes) -> None:
    calm, _ = pushes.through()
    cuts = [Cut(way, after) for way, total in calm.passed.items() for after in spread(total, CUTS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        proxies = [proxy for proxy, _ in pool.map(pushes.through, cuts)]
    assert len(pushes.done) == 1 + 2 * CUTS, "\n".join(pushes.failed)
    assert [proxy.made for proxy in proxies] == [[cut] for cut in cuts]
    assert sum(len(proxy.requests) > len(calm.requests) for proxy in proxies) > CUTS  # others come last
    pushes.check()


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_at_each_request(pushes: Pushes, kind: str) -> None:
    """Several a push, APART from each other."""
    calm, _ = pushes.through()
    total = len(calm.requests)
    plans = [dict.fromkeys(range(first, total, APART), FAULTS[kind]) for first in range(APART)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda faults: pushes.through(faults=faults), plans))
    assert len(pushes.done) == 1 + APART, "\n".join(pushes.failed)
    pushes.check()


CLIENTS: dict[str, By] = {"devreg": Pushes.by_devreg, "docker push": Pushes.by_docker, "skopeo": Pushes.by_skopeo}


def test_how_many_faults_others_survive(pushes: Pushes) -> None:
    """The table of the README: each fault at points spread over the push, one a push."""
    with ThreadPoolExecutor(len(CLIENTS)) as pool:
        survived = dict(zip(CLIENTS, pool.map(lambda by: survivals(pushes, by), CLIENTS.values()), strict=True))
        for client_, number in zip(CLIENTS, restarts(pushes), strict=True):
            survived[client_]["registry restarted"] = number
    rows = survived["devreg"]
    print(f"\n| fault | {' | '.join(CLIENTS)} |\n|---|{'---|' * len(CLIENTS)}")
    for row in rows:
        print(f"| {row} | {' | '.join(survived[name][row] for name in CLIENTS)} |")
    assert all(told.partition(" of ")[0] == told.partition(" of ")[2] for told in rows.values())


def survivals(pushes: Pushes, by: By) -> dict[str, str]:
    """How many of how many pushes by one client end well, by the fault that they meet."""
    calm, is_well = pushes.through(by=by)
    assert is_well
    cuts = [Cut(way, after) for way, total in calm.passed.items() for after in spread(total, POINTS)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {"cut at a byte": [pool.submit(pushes.through, cut, by=by) for cut in cuts]}
        for kind, fault in FAULTS.items():
            numbers = [number - 1 for number in spread(len(calm.requests), POINTS)]
            runs[kind] = [pool.submit(pushes.through, faults={number: fault}, by=by) for number in numbers]
        return {kind: told([each.result()[1] for each in those]) for kind, those in runs.items()}


def restarts(pushes: Pushes) -> list[str]:
    """The registry is killed in the middle of pushes by all clients, and is back a second later."""
    ends: list[list[bool]] = []
    for amount in (500_000, 2_000_000):
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(len(CLIENTS)))
            gates = [stack.enter_context(Gate(pushes.registry.port)) for _ in CLIENTS]
            for gate in gates:
                gate.hold_after(amount)
            pairs = zip(gates, CLIENTS.values(), strict=True)
            runs = [pool.submit(pushes.push, gate.address, by) for gate, by in pairs]
            for gate in gates:
                gate.wait()
            pushes.registry.kill()
            for gate in gates:
                gate.open()
            time.sleep(1)
            pushes.registry.start()
            ends.append([each.result() for each in runs])
    return [told(those) for those in zip(*ends, strict=True)]


def told(ends: Sequence[bool]) -> str:
    return f"{sum(ends)} of {len(ends)}"
