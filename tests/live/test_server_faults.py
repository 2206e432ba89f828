"""The server of `registry up` struck down in the middle of pushes and pulls, and out of disk: clients finish or say
clearly why not, and whatever was acknowledged is there, to the byte."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest

from tests.live.conftest import PASSWORD, USER, Server, client, free_port, start_server
from tests.live.lab.contents import contents
from tests.live.lab.devreg import Devreg, user_of, with_own_state
from tests.live.lab.engine import Engine
from tests.live.lab.gate import Gate
from tests.live.lab.images import multi_layer_image
from tests.live.lab.layouts import incompressible
from tests.live.lab.run import need, run

MEBIBYTE = 1 << 20
LAYERS = (2 * MEBIBYTE, 3 * MEBIBYTE)
HELD = 3 * MEBIBYTE  # so much has passed when the server is struck
DISK, LEFT, BIG = 1024, 16, 40  # MiB: all, what is left before it is full, and what then comes


@pytest.fixture(scope="module")
def address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def up(spare_engine: Engine, short_folder: Path, address: str) -> Iterator[Server]:
    """A server on a disk of its own, with an image in it."""
    with client(spare_engine) as sdk:
        tmpfs = {"type": "tmpfs", "device": "tmpfs", "o": f"size={DISK}m"}
        volume = sdk.volumes.create("devreg_registry", driver="local", driver_opts=tmpfs)
        admin = with_own_state(user_of(spare_engine, short_folder / "owner"))
        start_server(admin, address)
        server = Server(spare_engine, address)
        server.pusher.put_manifest("kept", "1", server.pusher.image("kept", "2024-01-02T03:04:05Z", [b"layer"]))
        yield server
        admin.ok("registry", "down", "--volumes", "--yes")
        volume.remove()


@dataclass(frozen=True)
class Client:
    """One who pushes or pulls at an address of his own, through `gate`, in the middle of which things happen."""

    server: Server
    engine: Engine
    gate: Gate
    folder: Path

    @property
    def user(self) -> Devreg:
        user = user_of(self.engine, self.folder / "user")
        Server(self.engine, self.gate.address).log_in(user)
        return user

    def layout(self) -> Path:
        incompressible(self.folder / "layout", self.folder.name, *LAYERS)
        return self.folder / "layout"

    def devreg_push(self, name: str) -> str:
        """Has to end well."""
        return self.user.ok("push", str(self.layout()), "--as", f"{self.gate.address}/{name}", "-t", "1").stdout

    def devreg_pull(self, name: str) -> str:
        """Has to end well."""
        return self.user.ok("pull", f"{self.gate.address}/{name}:1").stdout

    def docker_push(self, name: str) -> str:
        with client(self.engine) as sdk:
            image = multi_layer_image(sdk, f"{self.gate.address}/{name}:1", 2, 3)
        return self._patient(need("docker", "docker.io"), "push", "--quiet", image, env=self.user.env)

    def skopeo_push(self, name: str) -> str:
        options = ("--dest-tls-verify=false", "--dest-creds", f"{USER}:{PASSWORD}")
        target = f"docker://{self.gate.address}/{name}:1"
        return self._patient(need("skopeo", "skopeo"), "copy", *options, f"oci:{self.layout()}:1", target)

    def skopeo_pull(self, name: str) -> str:
        source, target = f"docker://{self.gate.address}/{name}:1", f"dir:{self.folder / 'pulled'}"
        return self._patient(need("skopeo", "skopeo"), "copy", "--src-tls-verify=false", source, target)

    def _patient(self, *words: str, env: dict[str, str] | None = None) -> str:
        """Ends well; or says why not, and ends well when the user tries again."""
        done = run(*words, env={"HOME": str(self.folder), **(env or {})}, check=False)
        if done.returncode:
            assert len(done.stderr.strip()) > 20
            print(f"{words[0]}: {done.stderr.strip().splitlines()[-1]}")
            wait_for(self.server)
            run(*words, env={"HOME": str(self.folder), **(env or {})})
        return done.stdout


def wait_for(server: Server) -> None:
    """Return once it serves again, nginx and the registry."""
    deadline = time.monotonic() + 30
    while not _serves(server):
        assert time.monotonic() < deadline, "it does not come back"
        time.sleep(0.1)


def _serves(server: Server) -> bool:
    try:
        return server.anybody("GET", "/v2/kept/tags/list").status == 200
    except (OSError, HTTPException):
        return False


PUSHES: dict[str, Callable[[Client, str], str]] = {
    "devreg": Client.devreg_push,
    "docker": Client.docker_push,
    "skopeo": Client.skopeo_push,
}
PULLS: dict[str, Callable[[Client, str], str]] = {"devreg": Client.devreg_pull, "skopeo": Client.skopeo_pull}


def main_process(server: Server, name: str) -> int:
    with client(server.engine) as sdk:
        return int(sdk.containers.get(name).attrs["State"]["Pid"])


def registry(server: Server) -> list[int]:
    return [main_process(server, "devreg-registry")]


def nginx(server: Server) -> list[int]:
    return [main_process(server, "devreg-nginx")]


def workers(server: Server) -> list[int]:
    return [each.pid for each in psutil.Process(*nginx(server)).children()]


@pytest.mark.parametrize("victim", [registry, nginx, workers])
def test_killed_in_the_middle(
    up: Server, engine: Engine, tmp_path: Path, victim: Callable[[Server], list[int]]
) -> None:
    what = victim.__name__
    first = Client(up, engine, Gate(int(up.address.rpartition(":")[2])), tmp_path / what)
    first.folder.mkdir()
    with first.gate:
        first.devreg_push(f"{what}/there")
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        gates, runs = list[Gate](), list["Future[str]"]()
        for way, works in (("up", PUSHES), ("down", PULLS)):
            for name, work in works.items():
                gate = stack.enter_context(Gate(int(up.address.rpartition(":")[2]), "up" if way == "up" else "down"))
                someone = Client(up, engine, gate, tmp_path / f"{what}-{way}-{name}")
                someone.folder.mkdir()
                gate.hold_after(HELD)
                gates.append(gate)
                runs.append(pool.submit(work, someone, f"{what}/{name}" if way == "up" else f"{what}/there"))
        for gate in gates:
            gate.wait()
        for pid in victim(up):
            os.kill(pid, signal.SIGKILL)
        for gate in gates:
            gate.open()
        for each in runs:
            each.result()
    for repository in (*(f"{what}/{name}" for name in ("there", *PUSHES)), "kept"):
        assert "1" in contents(up.anybody, repository).tags


def disk(server: Server) -> Path:
    return server.engine.root / "data/volumes/devreg_registry/_data"


def resize(server: Server, mebibytes: int) -> None:
    run("mount", "-o", f"remount,size={mebibytes}m", disk(server))


def test_a_full_disk(up: Server, engine: Engine, tmp_path: Path) -> None:
    user = user_of(engine, tmp_path / "user")
    up.log_in(user)
    small, big = tmp_path / "small", tmp_path / "big"
    incompressible(small, "small", MEBIBYTE)
    incompressible(big, "big", BIG * MEBIBYTE)
    user.ok("push", str(small), "--as", f"{up.address}/full/small", "-t", "1")
    usage = os.statvfs(disk(up))
    resize(up, (usage.f_blocks - usage.f_bfree) * usage.f_frsize // MEBIBYTE + LEFT)

    for layout in (big, small):  # what has come of the big one leaves no room for a small one either
        failed = user.fails(23, "push", str(layout), "--as", f"{up.address}/full/other", "-t", "1")
        assert "its disk is full" in failed.stderr
        assert "make room where the registry keeps its content" in failed.stderr
    options = ("--dest-tls-verify=false", "--dest-creds", f"{USER}:{PASSWORD}")
    copy = (need("skopeo", "skopeo"), "copy", *options, f"oci:{small}:1", f"docker://{up.address}/full/skopeo:1")
    assert run(*copy, check=False).returncode != 0
    for repository in ("kept", "full/small"):
        assert "1" in contents(up.anybody, repository).tags

    resize(up, DISK)
    user.ok("push", str(big), "--as", f"{up.address}/full/big", "-t", "1")
    run(*copy)
    for repository in ("kept", "full/small", "full/big", "full/skopeo"):
        assert "1" in contents(up.anybody, repository).tags
