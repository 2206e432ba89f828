"""`devreg trust` and `untrust` on a dockerd that no service manager watches, with a registry that needs the trust."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.conftest import DAEMON_JSON, PASSWORD, USER, Server, client, free_port, start_server, trusts
from tests.live.lab.devreg import STATE, Devreg, user_of
from tests.live.lab.engine import Engine
from tests.live.lab.images import busybox_image, multi_layer_image
from tests.live.lab.run import run, search_path

BEYOND = "registry.example:5000"


@pytest.fixture(scope="module")
def beyond_loopback(spare_engine: Engine, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A registry server that speaks plain HTTP on an address of this machine that no engine trusts of itself."""
    gateway = run("ip", "-4", "-brief", "address", "show", "dev", server.engine.bridge).stdout.split()[2]
    address = f"{gateway.partition('/')[0]}:{free_port()}"
    start_server(user_of(spare_engine, tmp_path_factory.mktemp("beyond") / "admin"), address)
    return Server(spare_engine, address)


def identity(file: Path) -> tuple[int, int]:
    """What changes when a file is written, and when it is replaced."""
    return file.stat().st_ino, file.stat().st_mtime_ns


def docker(engine: Engine, folder: Path, *words: str, input: str | None = None) -> "subprocess.CompletedProcess[str]":
    env = {"DOCKER_HOST": engine.host, "DOCKER_CONFIG": str(folder)}
    return run("/usr/bin/docker", *words, input=input, env=env, check=False)


@contextmanager
def still_running(engine: Engine) -> Iterator[None]:
    """A container that has to be the same process afterwards, in the same dockerd."""
    with client(engine) as sdk:
        image = busybox_image(sdk, "lab-busybox:1")
        container = sdk.containers.run(image, ["sleep", "600"], name="bystander", detach=True, init=True)
        try:
            container.reload()
            before = (engine.pid, container.attrs["State"]["Pid"], container.attrs["State"]["StartedAt"])
            yield
            container.reload()
            assert (engine.pid, container.attrs["State"]["Pid"], container.attrs["State"]["StartedAt"]) == before
        finally:
            container.remove(force=True)


def test_trust_makes_docker_push_over_plain_http(
    beyond_loopback: Server, settings: Path, root: Devreg, tmp_path: Path
) -> None:
    engine, address = beyond_loopback.engine, beyond_loopback.address
    with client(engine) as sdk:
        name = multi_layer_image(sdk, f"{address}/trusted:1", 2, 0.1)
    with still_running(engine):
        before = docker(engine, tmp_path, "push", name)
        assert "server gave HTTP response to HTTPS client" in before.stderr
        words = ("login", address, "-u", USER, "--password-stdin")
        refused = root.fails(20, *words, input=PASSWORD)
        assert f"devreg trust {address}" in refused.stderr
        done = root.ok("trust", address, "--json").document
        assert done["changed"] is True
        told = {"address": address, "flavour": "rootful", "file": str(settings), "applied": "reload", "verified": True}
        assert told.items() <= done["data"].items()
        assert docker(engine, tmp_path, *words, input=PASSWORD).returncode == 0
        after = docker(engine, tmp_path, "push", name)
        assert after.returncode == 0, after.stderr
        assert "warning" in root.ok(*words, input=PASSWORD).stderr
        assert root.ok("push", name).stdout.startswith(f"{address}/trusted@sha256:")
        assert address in root.ok("status", "--json").data["engine"]["insecure"]


def test_everything_else_in_the_file_stays_byte_for_byte(settings: Path, root: Devreg) -> None:
    settings.chmod(0o640)
    root.ok("trust", BEYOND)
    root.ok("trust", "10.9.8.7:5000")
    text = settings.read_text()
    assert text.startswith(DAEMON_JSON.rstrip("\n}"))
    assert json.loads(text)["insecure-registries"] == [BEYOND, "10.9.8.7:5000"]
    root.ok("untrust", "10.9.8.7:5000")
    root.ok("untrust", BEYOND)
    assert settings.read_text() == DAEMON_JSON
    assert settings.stat().st_mode & 0o777 == 0o640


def test_a_second_trust_does_not_touch_the_file(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    root.ok("trust", BEYOND)
    before = identity(settings)
    again = root.ok("trust", BEYOND, "--json").document
    assert again["changed"] is False
    assert again["data"]["applied"] == "none"
    assert identity(settings) == before
    assert trusts(spare_engine, BEYOND)


def test_untrust_takes_it_out_of_the_running_engine(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    with still_running(spare_engine):
        root.ok("trust", BEYOND)
        assert trusts(spare_engine, BEYOND)
        done = root.ok("untrust", BEYOND, "--json").document
        assert done["changed"] is True
        assert not trusts(spare_engine, BEYOND)
        assert root.ok("untrust", BEYOND, "--json").document["changed"] is False
    assert settings.read_text() == DAEMON_JSON


def test_a_missing_file_is_made_and_goes_again(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    settings.unlink()
    root.ok("trust", BEYOND)
    assert trusts(spare_engine, BEYOND)
    assert json.loads(settings.read_text()) == {"insecure-registries": [BEYOND]}
    root.ok("untrust", BEYOND)
    assert not trusts(spare_engine, BEYOND)
    assert not settings.exists() or json.loads(settings.read_text()) == {}


def test_a_dockerd_that_somebody_watches_over_is_not_restarted(
    settings: Path, root: Devreg, spare_engine: Engine
) -> None:
    pid = spare_engine.pid
    root.fails(11, "trust", BEYOND, "--restart", "--yes")
    assert spare_engine.pid == pid
    assert settings.read_text() == DAEMON_JSON


def test_restart_says_what_stops_and_starts_the_same_dockerd_again(
    settings: Path, spare_engine: Engine, tmp_path: Path
) -> None:
    # Without a mount namespace of the call's own: the new dockerd would live in it.
    root = user_of(spare_engine, tmp_path / "restarter")
    start_as_orphan(spare_engine)
    pid, command = spare_engine.pid, Path(f"/proc/{spare_engine.pid}/cmdline").read_bytes()
    with client(spare_engine) as sdk:
        image = busybox_image(sdk, "lab-busybox:1")
        sdk.containers.run(image, ["sleep", "600"], name="bystander", detach=True, init=True)
        try:
            asked = root.fails(2, "trust", BEYOND, "--restart")
            assert "bystander" in asked.stderr
            assert settings.read_text() == DAEMON_JSON
            assert spare_engine.pid == pid
            done = root.ok("trust", BEYOND, "--restart", "--yes", "--json").data
            assert done["applied"] == "restart"
            assert "bystander" in done["stopped"]
            Path(done["backup"]).unlink()
            assert spare_engine.pid != pid
            assert Path(f"/proc/{spare_engine.pid}/cmdline").read_bytes() == command
            assert sdk.containers.get("bystander").status == "exited"
            assert trusts(spare_engine, BEYOND)
        finally:
            sdk.containers.get("bystander").remove(force=True)
    backup = root.ok("untrust", BEYOND, "--json").data["backup"]
    Path(backup).unlink()
    assert not trusts(spare_engine, BEYOND)
    assert STATE.exists()


def start_as_orphan(engine: Engine) -> None:
    """Start dockerd anew, with nobody to watch over it: devreg restarts no other."""
    engine.stop()
    script = '"$@" >>"$0" 2>&1 </dev/null &'
    environment = {**os.environ, "PATH": search_path(engine.binaries)}
    argv = ["sh", "-c", script, str(engine.log), *engine.command]
    subprocess.run(argv, env=environment, start_new_session=True, check=True)
    deadline = time.monotonic() + 60
    while not engine.answers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert engine.answers()


def test_backups_are_what_was_there_and_for_root_only(settings: Path, root: Devreg) -> None:
    done = root.ok("trust", BEYOND, "--json").data
    assert root.state is not None
    backup = root.state / Path(done["backup"]).relative_to(STATE)
    assert backup.read_text() == DAEMON_JSON
    assert backup.stat().st_mode & 0o777 == 0o600
    assert settings.read_text() != DAEMON_JSON


def test_two_at_once_both_get_in(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    addresses = [f"host{n}.example:5000" for n in range(4)]
    calls = [root.start("trust", address) for address in addresses]
    for call in calls:
        _, stderr = call.communicate(timeout=120)
        assert call.returncode == 0, stderr
    assert sorted(json.loads(settings.read_text())["insecure-registries"]) == addresses
    assert all(trusts(spare_engine, address) for address in addresses)
