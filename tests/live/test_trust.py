"""`devreg trust` and `untrust` on a dockerd that no service manager watches, with a registry that needs the trust."""

import json
import os
import signal
import socketserver
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from tests.live.conftest import PASSWORD, USER, Server, client, free_port, start_server
from tests.live.lab.devreg import STATE, Devreg, unprivileged, user_of
from tests.live.lab.engine import Engine
from tests.live.lab.images import busybox_image, multi_layer_image
from tests.live.lab.relay import relay_to
from tests.live.lab.run import run, search_path

# Tabs, an order of its own, a list on several lines: whatever a person may have written.
SETTINGS = '{\n\t"log-level": "info",\n\n\t"labels":\t[ "a=b",\n\t\t"c=d" ],   "debug":false\n}\n'
BEYOND = "registry.example:5000"


@pytest.fixture
def settings(spare_engine: Engine) -> Iterator[Path]:
    """The engine's daemon.json with SETTINGS in it; the engine trusts nobody before and after."""
    file = spare_engine.config_file
    file.write_text(SETTINGS)
    yield file
    run("chattr", "-i", file, check=False)
    file.write_text('{"insecure-registries": []}\n')
    if spare_engine.answers():
        os.kill(spare_engine.pid, signal.SIGHUP)
    else:
        spare_engine.start()


@pytest.fixture(scope="module")
def beyond_loopback(spare_engine: Engine, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A registry server that speaks plain HTTP on an address of this machine that no engine trusts of itself."""
    gateway = run("ip", "-4", "-brief", "address", "show", "dev", server.engine.bridge).stdout.split()[2]
    address = f"{gateway.partition('/')[0]}:{free_port()}"
    start_server(user_of(spare_engine, tmp_path_factory.mktemp("beyond") / "admin"), address)
    return Server(spare_engine, address)


def trusts(engine: Engine, address: str) -> bool:
    with client(engine) as sdk:
        known = sdk.info()["RegistryConfig"]["IndexConfigs"]
    return known.get(address, {}).get("Secure") is False


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
        assert done["data"] | {"backup": "", "stopped": []} == {
            **{"address": address, "flavour": "rootful", "file": str(settings), "applied": "reload"},
            **{"verified": True, "changed": True, "backup": "", "stopped": []},
        }
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
    assert text.startswith(SETTINGS.rstrip("\n}"))
    assert json.loads(text)["insecure-registries"] == [BEYOND, "10.9.8.7:5000"]
    root.ok("untrust", "10.9.8.7:5000")
    root.ok("untrust", BEYOND)
    assert settings.read_text() == SETTINGS
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
    assert settings.read_text() == SETTINGS


def test_a_missing_file_is_made_and_goes_again(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    settings.unlink()
    root.ok("trust", BEYOND)
    assert trusts(spare_engine, BEYOND)
    assert json.loads(settings.read_text()) == {"insecure-registries": [BEYOND]}
    root.ok("untrust", BEYOND)
    assert not trusts(spare_engine, BEYOND)
    assert not settings.exists() or json.loads(settings.read_text()) == {}


@pytest.mark.parametrize(
    "text",
    [
        '{"debug": false,}',
        '{\n  // a comment\n  "debug": false\n}',
        "[]",
        "not json",
        '{"debug": false, "debug": true}',
        '{"insecure-registries": "a:1"}',
        '{"insecure-registries": [1]}',
        '\ufeff{"debug": false}',
        "{",
    ],
)
def test_an_invalid_file_is_named_and_left_alone(settings: Path, root: Devreg, spare_engine: Engine, text: str) -> None:
    settings.write_text(text)
    before = identity(settings)
    for words in (("trust", BEYOND), ("untrust", BEYOND), ("trust", BEYOND, "--restart", "--yes")):
        assert str(settings) in root.fails(10, *words).stderr
    assert identity(settings) == before
    assert settings.read_text() == text
    assert not trusts(spare_engine, BEYOND)


def test_a_setting_that_the_engine_refuses_is_rolled_back(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    text = '{"no-such-setting": 1}\n'
    settings.write_text(text)
    pid = spare_engine.pid
    root.fails(11, "trust", BEYOND)
    assert settings.read_text() == text
    assert spare_engine.pid == pid
    assert not trusts(spare_engine, BEYOND)


def test_an_immutable_file(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    done = run("chattr", "+i", settings, check=False)
    if done.returncode:
        pytest.fail(f"this file system knows no immutable files: {done.stderr}")
    root.fails(10, "trust", BEYOND)
    assert settings.read_text() == SETTINGS
    assert not trusts(spare_engine, BEYOND)
    assert strays(settings) == []


def test_a_file_on_a_read_only_file_system(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    with mounted(settings, "-o", "bind,ro"):
        assert "read-only" in root.fails(10, "trust", BEYOND).stderr
        assert settings.read_text() == SETTINGS
    assert not trusts(spare_engine, BEYOND)
    assert strays(settings) == []


def test_a_file_that_is_a_mount_point_is_written_in_place(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    with mounted(settings, "-o", "bind"):
        root.ok("trust", BEYOND)
        assert trusts(spare_engine, BEYOND)
        root.ok("untrust", BEYOND)
        assert settings.read_text() == SETTINGS
    assert strays(settings) == []


@contextmanager
def mounted(file: Path, *options: str) -> Iterator[None]:
    """Lay a mount of the file over itself."""
    run("mount", "-o", "bind", file, file)
    try:
        if "bind,ro" in options:
            run("mount", "-o", "remount,bind,ro", file)
        yield
    finally:
        run("umount", file)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few pages, each of which is taken."""
    disk = tmp_path / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk)
    yield disk
    run("umount", disk)


def fill(disk: Path) -> None:
    with (disk / "filling").open("wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * 512):
                pass
        except OSError:
            return


def test_a_full_disk(settings: Path, root: Devreg, spare_engine: Engine, full_disk: Path) -> None:
    real = full_disk / "daemon.json"
    real.write_text(SETTINGS)
    fill(full_disk)
    settings.unlink()
    settings.symlink_to(real)
    try:
        assert "full" in root.fails(10, "trust", BEYOND).stderr
        assert real.read_text() == SETTINGS
        assert sorted(each.name for each in full_disk.iterdir()) == ["daemon.json", "filling"]
        assert not trusts(spare_engine, BEYOND)
    finally:
        settings.unlink()
        settings.write_text(SETTINGS)


def test_a_full_disk_under_the_logins(devreg: Devreg, server: Server, full_disk: Path) -> None:
    fill(full_disk)
    user = {"DOCKER_CONFIG": str(full_disk)}
    done = devreg.fails(10, "login", server.address, "-u", USER, "--password-stdin", input=PASSWORD, env=user)
    assert "full" in done.stderr
    assert [each.name for each in full_disk.iterdir()] == ["filling"]


def test_a_full_disk_under_the_backups(settings: Path, root: Devreg, spare_engine: Engine, full_disk: Path) -> None:
    fill(full_disk)
    replace(root, state=full_disk).fails(10, "trust", BEYOND)
    assert settings.read_text() == SETTINGS
    assert not trusts(spare_engine, BEYOND)


def strays(settings: Path) -> list[str]:
    return [each.name for each in settings.parent.iterdir() if ".new" in each.name or each.name.startswith(".")]


def test_a_dockerd_that_somebody_watches_over_is_not_restarted(
    settings: Path, root: Devreg, spare_engine: Engine
) -> None:
    pid = spare_engine.pid
    root.fails(11, "trust", BEYOND, "--restart", "--yes")
    assert spare_engine.pid == pid
    assert settings.read_text() == SETTINGS


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
            assert settings.read_text() == SETTINGS
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
    assert backup.read_text() == SETTINGS
    assert backup.stat().st_mode & 0o777 == 0o600
    assert settings.read_text() != SETTINGS


def test_an_engine_on_another_machine_is_not_touched(root: Devreg, settings: Path, spare_engine: Engine) -> None:
    with forwarded(spare_engine) as host:
        done = root.fails(10, "trust", BEYOND, env={"DOCKER_HOST": host})
    assert host.partition("://")[2] in done.stderr
    assert settings.read_text() == SETTINGS


@contextmanager
def forwarded(engine: Engine) -> Iterator[str]:
    """The engine's socket by TCP, as a remote engine has it."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), relay_to(engine.socket)) as listener:
        listener.daemon_threads = True
        thread = Thread(target=listener.serve_forever)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{listener.server_address[1]}"
        finally:
            listener.shutdown()
            thread.join()


def test_two_at_once_both_get_in(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    addresses = [f"host{n}.example:5000" for n in range(4)]
    calls = [root.start("trust", address) for address in addresses]
    for call in calls:
        _, stderr = call.communicate(timeout=120)
        assert call.returncode == 0, stderr
    assert sorted(json.loads(settings.read_text())["insecure-registries"]) == addresses
    assert all(trusts(spare_engine, address) for address in addresses)


@pytest.mark.parametrize("address", ["", "Upper.example", "a/b", "*.example", "a:99999", "a b", "a:", "http://", "-a"])
def test_an_address_that_is_none_is_refused(root: Devreg, settings: Path, address: str) -> None:
    root.fails(2, "trust", "--", address)
    assert settings.read_text() == SETTINGS


def test_somebody_without_rights_is_sent_to_sudo(settings: Path, spare_engine: Engine, tmp_path: Path) -> None:
    user = user_of(spare_engine, tmp_path / "somebody")
    done = run(*unprivileged(user.command("trust", BEYOND), spare_engine.socket.stat().st_gid), check=False)
    assert done.returncode == 10, done.stderr
    assert "sudo" in done.stderr
    assert settings.read_text() == SETTINGS
