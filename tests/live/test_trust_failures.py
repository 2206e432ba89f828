"""What keeps `devreg trust` from its work: named in one line, and everything stays as it was."""

import socketserver
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from tests.live.conftest import DAEMON_JSON, PASSWORD, USER, Server, reload, trusts
from tests.live.lab.devreg import Devreg, unprivileged, user_of
from tests.live.lab.engine import Engine
from tests.live.lab.relay import relay_to
from tests.live.lab.run import run

BEYOND = "registry.example:5000"


def identity(file: Path) -> tuple[int, int]:
    """What changes when a file is written, and when it is replaced."""
    return file.stat().st_ino, file.stat().st_mtime_ns


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
    root.fails(11, "trust", BEYOND, "--force")
    assert settings.read_text() == text
    assert spare_engine.pid == pid
    assert not trusts(spare_engine, BEYOND)


def test_what_others_have_written_and_not_reloaded_is_not_brought_along(
    settings: Path, root: Devreg, spare_engine: Engine
) -> None:
    theirs = DAEMON_JSON.replace("info", "debug")
    time.sleep(0.1)
    settings.write_text(theirs)
    assert "--force" in root.fails(10, "trust", BEYOND).stderr
    assert settings.read_text() == theirs
    assert not trusts(spare_engine, BEYOND)
    reload(spare_engine)
    root.ok("trust", BEYOND)
    root.ok("untrust", BEYOND)
    assert settings.read_text() == theirs
    root.ok("trust", BEYOND)  # what devreg itself has left in the file is nobody else's change


def test_an_immutable_file(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    done = run("chattr", "+i", settings, check=False)
    if done.returncode:
        pytest.fail(f"this file system knows no immutable files: {done.stderr}")
    root.fails(10, "trust", BEYOND)
    assert settings.read_text() == DAEMON_JSON
    assert not trusts(spare_engine, BEYOND)
    assert strays(settings) == []


def test_a_file_on_a_read_only_file_system(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    with mounted(settings, "-o", "bind,ro"):
        assert "read-only" in root.fails(10, "trust", BEYOND).stderr
        assert settings.read_text() == DAEMON_JSON
    assert not trusts(spare_engine, BEYOND)
    assert strays(settings) == []


def test_a_file_that_is_a_mount_point_is_written_in_place(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    with mounted(settings, "-o", "bind"):
        root.ok("trust", BEYOND)
        assert trusts(spare_engine, BEYOND)
        root.ok("untrust", BEYOND)
        assert settings.read_text() == DAEMON_JSON
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
    real.write_text(DAEMON_JSON)
    fill(full_disk)
    settings.unlink()
    settings.symlink_to(real)
    reload(spare_engine)
    try:
        assert "full" in root.fails(10, "trust", BEYOND).stderr
        assert real.read_text() == DAEMON_JSON
        assert sorted(each.name for each in full_disk.iterdir()) == ["daemon.json", "filling"]
        assert not trusts(spare_engine, BEYOND)
    finally:
        settings.unlink()
        settings.write_text(DAEMON_JSON)


def test_a_full_disk_under_the_logins(devreg: Devreg, server: Server, full_disk: Path) -> None:
    fill(full_disk)
    user = {"DOCKER_CONFIG": str(full_disk)}
    done = devreg.fails(10, "login", server.address, "-u", USER, "--password-stdin", input=PASSWORD, env=user)
    assert "full" in done.stderr
    # An empty lock may stay; it takes no space.
    assert {each.name for each in full_disk.iterdir() if each.stat().st_size} == {"filling"}
    assert not (full_disk / "config.json").exists()


def test_a_full_disk_under_the_backups(settings: Path, root: Devreg, spare_engine: Engine, full_disk: Path) -> None:
    fill(full_disk)
    replace(root, state=full_disk).fails(10, "trust", BEYOND)
    assert settings.read_text() == DAEMON_JSON
    assert not trusts(spare_engine, BEYOND)


def strays(settings: Path) -> list[str]:
    return [each.name for each in settings.parent.iterdir() if ".new" in each.name or each.name.startswith(".")]


def test_an_engine_on_another_machine_is_not_touched(root: Devreg, settings: Path, spare_engine: Engine) -> None:
    with forwarded(spare_engine) as host:
        done = root.fails(10, "trust", BEYOND, env={"DOCKER_HOST": host})
    assert host.partition("://")[2] in done.stderr
    assert settings.read_text() == DAEMON_JSON


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


@pytest.mark.parametrize("address", ["", "Upper.example", "a/b", "*.example", "a:99999", "a b", "a:", "http://", "-a"])
def test_an_address_that_is_none_is_refused(root: Devreg, settings: Path, address: str) -> None:
    root.fails(2, "trust", "--", address)
    assert settings.read_text() == DAEMON_JSON


def test_somebody_without_rights_is_sent_to_sudo(settings: Path, spare_engine: Engine, tmp_path: Path) -> None:
    user = user_of(spare_engine, tmp_path / "somebody")
    done = run(*unprivileged(user.command("trust", BEYOND), spare_engine.socket.stat().st_gid), check=False)
    assert done.returncode == 10, done.stderr
    assert "sudo" in done.stderr
    assert settings.read_text() == DAEMON_JSON
