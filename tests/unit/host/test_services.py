"""Reload and restart, on real processes that stand in for dockerd; systemctl and service are recorded."""

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from devreg.host import services
from devreg.host.dockerd import Dockerd, Manager, find
from devreg.host.processes import lives
from devreg.host.run import CommandFailed, Completed
from tests.unit.host.conftest import await_listener

Start = Callable[..., Path]

UNIT = Dockerd(1, Path("/d.json"), (), Manager.SYSTEMD, unit="docker.service")
SCRIPT = Dockerd(1, Path("/d.json"), (), Manager.INIT_SCRIPT)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was run; a command that holds the word `reset-failed` fails."""
    ran: list[str] = []

    def record(argv: Sequence[str], *, timeout: float) -> Completed:
        ran.append(" ".join(argv))
        if "reset-failed" in argv:
            raise CommandFailed(argv, 1, "", "", f"failed within {timeout}")
        return Completed("", "")

    monkeypatch.setattr(services, "run", record)
    return ran


def lines(log: Path, count: int) -> list[str]:
    deadline = time.monotonic() + 10
    while len(found := log.read_text().splitlines()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_a_unit_is_reloaded_by_systemd(commands: list[str]) -> None:
    services.reload(UNIT)
    assert commands == ["systemctl reload docker.service"]


def test_a_unit_is_restarted_even_after_failed_starts(commands: list[str]) -> None:
    assert services.restart(UNIT, lambda: True) == UNIT
    assert commands == [
        "systemctl reset-failed docker.service docker.socket",
        "systemctl restart docker.service",
    ]
    assert "reset-failed docker.service docker.socket; sudo systemctl restart" in services.restart_commands(UNIT)


def test_an_init_script_is_restarted_by_service(commands: list[str]) -> None:
    services.restart(SCRIPT, lambda: True)
    assert commands == ["service docker restart"]
    assert services.restart_commands(SCRIPT) == "sudo service docker restart"


def test_silence_after_a_restart_is_a_failure(commands: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_RESTART_SECONDS", 0.2)
    with pytest.raises(services.ServiceFailed, match="does not answer"):
        services.restart(SCRIPT, lambda: False)
    assert commands


def test_a_failing_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(argv: Sequence[str], **_: object) -> Completed:
        raise CommandFailed(argv, 1, "", "Job for docker.service failed", "failed with code 1")

    monkeypatch.setattr(services, "run", fails)
    for action in (lambda: services.reload(UNIT), lambda: services.restart(UNIT, lambda: True)):
        with pytest.raises(services.ServiceFailed, match=r"Job for docker\.service failed"):
            action()


def test_a_detached_dockerd_gets_a_signal(dockerd: Start, tmp_path: Path) -> None:
    services.reload(find(dockerd()))
    assert lines(tmp_path / "log", 2) == ["up kept", "reloaded"]


def test_a_dockerd_that_is_gone_cannot_be_reloaded(dockerd: Start) -> None:
    with subprocess.Popen(["true"]) as ended:  # a dockerd that was killed would stay until somebody collects it
        pass
    with pytest.raises(services.ServiceFailed, match="No such process"):
        services.reload(replace(find(dockerd()), pid=ended.pid))


def test_a_detached_dockerd_is_started_again_as_it_was(dockerd: Start, tmp_path: Path) -> None:
    path = dockerd("--debug")
    before = find(path)

    def answers() -> bool:
        await_listener(path)
        return True

    after = services.restart(before, answers)
    assert after.pid != before.pid
    assert not lives(before.pid)
    assert find(path) == replace(before, pid=after.pid)
    assert lines(tmp_path / "log", 2) == ["up kept", "up kept"]


def test_a_start_that_fails_is_told_with_dockerds_last_words(dockerd: Start, tmp_path: Path) -> None:
    before = find(dockerd())
    (tmp_path / "script.py").write_text("raise SystemExit('failed to start daemon: no')")
    with pytest.raises(services.ServiceFailed, match="ended at once: failed to start daemon: no"):
        services.restart(before, lambda: False)


def test_who_may_be_watched_over_is_not_stopped(dockerd: Start) -> None:
    before = find(dockerd(child=True))
    with pytest.raises(services.ServiceFailed, match="may watch over it"):
        services.restart(before, lambda: True)
    assert lives(before.pid)
