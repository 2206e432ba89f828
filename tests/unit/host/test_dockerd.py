"""Finding the process behind a socket, on real processes that stand in for dockerd."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from devreg.host import dockerd as hd
from devreg.host.dockerd import Manager, find
from devreg.host.run import CommandFailed, Completed
from devreg.model.errors import ConfigUnusable, EngineUnreachable

Start = Callable[..., Path]


def test_defaults(dockerd: Start) -> None:
    found = find(dockerd())
    assert psutil.Process(found.pid).name() == "dockerd"
    assert found.config_file == Path("/etc/docker/daemon.json")
    assert found.flags == ()


@pytest.mark.parametrize(
    ("flags", "file"),
    [
        (["--config-file", "/x/d.json"], "/x/d.json"),
        (["--debug", "--config-file=/x/d.json"], "/x/d.json"),
    ],
)
def test_the_configuration_file(dockerd: Start, flags: list[str], file: str) -> None:
    assert find(dockerd(*flags)).config_file == Path(file)


def test_a_relative_configuration_file_is_relative_to_dockerd(dockerd: Start, tmp_path: Path) -> None:
    assert find(dockerd("--config-file=d.json")).config_file == tmp_path / "d.json"


def test_insecure_flags(dockerd: Start) -> None:
    assert find(dockerd("--insecure-registry", "a", "--insecure-registry=b:5000")).flags == ("a", "b:5000")


def test_an_orphan_can_be_started_again_just_as_it_was(dockerd: Start, tmp_path: Path) -> None:
    found = find(dockerd("--debug"))
    assert found.manager is Manager.DETACHED
    assert found.restartable
    assert found.launch is not None
    assert found.launch.argv == (*(str(tmp_path / name) for name in ("dockerd", "script.py", "s")), "--debug")
    assert (found.launch.cwd, found.launch.log) == (tmp_path, tmp_path / "log")
    assert found.launch.env["MARK"] == "kept"
    assert "kept" not in repr(found)


@pytest.mark.parametrize("parent", ["child", "daemon"])
def test_a_living_parent_may_watch_over_it(dockerd: Start, parent: str) -> None:
    assert not find(dockerd(**{parent: True})).restartable


def test_an_init_script_is_known_by_its_pid_file(
    dockerd: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dockerd()
    pid_file = tmp_path / "docker-ssd.pid"
    monkeypatch.setattr(hd, "_INIT_SCRIPT", tmp_path / "dockerd")
    monkeypatch.setattr(hd, "_INIT_SCRIPT_PID_FILE", pid_file)
    pid_file.write_text("1\n")
    assert find(path).manager is Manager.DETACHED
    pid_file.write_text(f"{find(path).pid}\n")
    assert find(path).manager is Manager.INIT_SCRIPT
    assert find(path).restartable


def test_systemd_listens_for_its_unit(dockerd: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pid = find(dockerd()).pid
    monkeypatch.setattr(hd, "_SYSTEMD", tmp_path)
    monkeypatch.setattr(hd, "listener", lambda _: 1)
    monkeypatch.setattr(hd, "run", lambda *_, **__: Completed(f"MainPID={pid}\n", ""))
    assert find(tmp_path / "s").pid == pid


@pytest.mark.parametrize(
    ("cgroup", "main", "unit"),
    [
        ("0::/system.slice/docker.service\n", True, "docker.service"),
        ("12:devices:/x\n1:name=systemd:/system.slice/my-docker.service\n", True, "my-docker.service"),
        ("0::/system.slice/cron.service\n", False, None),  # started by a job of cron, not watched by systemd
        ("0::/user.slice/user-0.slice/session-1.scope\n", True, None),
    ],
)
def test_a_systemd_unit_is_known_by_its_cgroup_and_main_process(
    dockerd: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cgroup: str, main: bool, unit: str | None
) -> None:
    pid = find(dockerd()).pid
    monkeypatch.setattr(hd, "_SYSTEMD", tmp_path)
    monkeypatch.setattr(hd, "_cgroup", lambda _: cgroup)
    monkeypatch.setattr(hd, "run", lambda *_, **__: Completed(f"MainPID={pid if main else 1}\n", ""))
    found = find(tmp_path / "s")
    assert found.unit == unit
    assert found.manager is (Manager.SYSTEMD if unit else Manager.DETACHED)


def test_a_unit_that_systemctl_does_not_know(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(argv: list[str], **_: object) -> Completed:
        raise CommandFailed(argv, 1, "", "", "failed")

    monkeypatch.setattr(hd, "_SYSTEMD", tmp_path)
    monkeypatch.setattr(hd, "listener", lambda _: 1)
    monkeypatch.setattr(hd, "run", fails)
    with pytest.raises(ConfigUnusable, match="outside"):
        find(tmp_path / "s")


def test_an_engine_outside_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hd, "listener", lambda _: 0)
    with pytest.raises(ConfigUnusable, match="runs outside this container or machine"):
        find(Path("/s"))


def test_a_proxy_is_not_dockerd(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        with pytest.raises(ConfigUnusable, match=rf"process {os.getpid()}\) listens on .*, not dockerd"):
            find(tmp_path / "s")


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="cannot reach"):
        find(tmp_path / "s")
