"""What the server's containers may not do, as the engine tells it, and that the server does all its work with that."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.conftest import Server, client, free_port, start_server
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.wire import Wire, basic

MEGABYTE = 1 << 20
BIG = 400
LEAST = 64 * MEGABYTE


@pytest.fixture
def up(spare_engine: Engine, root: Devreg, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server whose containers have as little memory as may be set."""
    monkeypatch.delenv("DEVREG_MEMORY", raising=False)
    root.ok("config", "set", "memory", "64m")
    address = f"127.0.0.1:{free_port()}"
    start_server(root, address)
    yield Server(spare_engine, address)
    root.ok("registry", "down", "--volumes", "--yes")


def inspected(engine: Engine) -> dict[str, Any]:
    with client(engine) as sdk:
        return {name: sdk.containers.get(name).attrs for name in ("devreg-registry", "devreg-nginx")}


def test_the_engine_shows_what_they_may_not_do(up: Server) -> None:
    for name, attrs in inspected(up.engine).items():
        host = attrs["HostConfig"]
        assert host["ReadonlyRootfs"] is True, name
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["CapDrop"] == ["ALL"]
        assert host["PidsLimit"] == 4096
        assert (host["Memory"], host["MemorySwap"]) == (LEAST, LEAST)
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
        assert not host["Privileged"]
        assert host["CapAdd"] == (["CHOWN", "KILL", "SETGID", "SETUID"] if name == "devreg-nginx" else None)


def test_the_root_cannot_be_written_to_and_the_registry_has_no_capability(up: Server) -> None:
    with client(up.engine) as sdk:
        for name in ("devreg-registry", "devreg-nginx"):
            code, said = sdk.containers.get(name).exec_run(["sh", "-c", "cat /proc/1/status; >/bin/new"])
            assert code != 0
            assert b"ead-only file system" in said
            if name == "devreg-registry":
                assert b"CapEff:\t0000000000000000" in said


def test_much_is_pushed_and_read_back_within_little_memory(up: Server) -> None:
    chunk = bytes(range(256)) * (MEGABYTE // 256)
    location = up.pusher.begin_upload("big")
    sent = up.pusher("PATCH", location, {"Content-Type": "application/octet-stream"}, (chunk for _ in range(BIG)))
    assert sent.status == 202
    assert sent.one("Range") == f"0-{BIG * MEGABYTE - 1}"
    restarts = {name: attrs["RestartCount"] for name, attrs in inspected(up.engine).items()}
    assert set(restarts.values()) == {0}


def test_users_and_settings_change_as_before(up: Server, root: Devreg) -> None:
    root.ok("registry", "user", "add", "second", "--password-stdin", input="pa55word\n")
    assert Wire(up.address, basic("second", "pa55word"))("POST", "/v2/x/blobs/uploads/").status == 202
    root.ok("config", "set", "memory", "none")
    assert root.ok("registry", "up", "--json").document["changed"] is True
    assert {attrs["HostConfig"]["Memory"] for attrs in inspected(up.engine).values()} == {0}
    assert Wire(up.address, basic("second", "pa55word"))("POST", "/v2/x/blobs/uploads/").status == 202


def test_the_limit_is_one(up: Server) -> None:
    with client(up.engine) as sdk:
        registry = sdk.containers.get("devreg-registry")
        code, _ = registry.exec_run(["sh", "-c", "busybox dd if=/dev/zero of=/dev/null bs=200M count=1"])
        assert code != 0, "64 MB are no limit"


def test_a_registry_that_the_kernel_kills_starts_again_and_has_what_it_had(up: Server, root: Devreg) -> None:
    manifest = up.pusher.image("kept", "2024-01-02T03:04:05Z", [b"layer"])
    up.pusher.put_manifest("kept", "1", manifest)
    os.kill(inspected(up.engine)["devreg-registry"]["State"]["Pid"], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while inspected(up.engine)["devreg-registry"]["RestartCount"] == 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    root.ok("registry", "up")
    assert inspected(up.engine)["devreg-registry"]["RestartCount"] == 1
    assert up.anybody("GET", "/v2/kept/tags/list").document["tags"] == ["1"]


def test_nothing_nameless_stays_when_the_server_goes(up: Server, root: Devreg) -> None:
    root.ok("registry", "down", "--volumes", "--yes")
    with client(up.engine) as sdk:
        assert sdk.volumes.list() == []
