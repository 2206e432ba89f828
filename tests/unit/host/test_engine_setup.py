"""Starting an engine: by systemd, by its init script, or detached; with stand-ins for all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from devreg.host import engine_setup
from devreg.host.processes import lives
from devreg.model.errors import EngineUnreachable
from tests.unit.host.programs import Programs


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing here may reach this machine's engine: paths lead into `tmp_path`, signals only to what came from it.

    A path that engine_setup gets and that is not listed here stops the tests before they run anything.
    """
    for name in ("LOG", "_PID_FILE", "_KEY"):
        monkeypatch.setattr(engine_setup, name, tmp_path / "machine" / name.lower() / "file")
    monkeypatch.setattr(engine_setup, "DATA", (tmp_path / "docker", tmp_path / "containerd"))
    (tmp_path / "machine/log").mkdir(parents=True)
    known = [each for value in vars(engine_setup).values() for each in (value if type(value) is tuple else (value,))]
    assert all(each.is_relative_to(tmp_path) for each in known if isinstance(each, Path))
    send = os.kill  # psutil sends by it too

    def only_ours(pid: int, number: int) -> None:
        try:
            words = psutil.Process(pid).cmdline()
        except psutil.NoSuchProcess:
            raise ProcessLookupError from None
        assert any(str(tmp_path) in word for word in words), f"{words} (process {pid}) is not the test's own"
        send(pid, number)

    monkeypatch.setattr(os, "kill", only_ours)
    return tmp_path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """No systemd, no init script; programs of the test's own before all others."""
    real = Path.is_dir, Path.exists
    monkeypatch.setattr(engine_setup, "_path", lambda: os.environ["PATH"])
    monkeypatch.setattr(engine_setup, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(engine_setup, "_ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(Path, "is_dir", lambda path: "systemd" not in str(path) and real[0](path))
    monkeypatch.setattr(Path, "exists", lambda path: "init.d" not in str(path) and real[1](path))
    (tmp_path / "bin").mkdir()
    return Programs(tmp_path / "bin", monkeypatch)


@pytest.fixture
def systemd(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    monkeypatch.setattr(Path, "is_dir", lambda _path: True)
    return programs


@pytest.fixture
def init_script(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    monkeypatch.setattr(Path, "exists", lambda _path: True)
    return programs


@pytest.fixture
def dockerd(programs: Programs, tmp_path: Path) -> Iterator[Callable[[], bool]]:
    """A dockerd that runs until it is told to stop; gives the question whether it runs."""
    file = engine_setup._PID_FILE
    file.parent.mkdir(parents=True)
    programs.add("dockerd", f"echo $$ > {file}; while :; do sleep 0.05; done")
    yield lambda: file.is_file() and file.read_text().strip() != ""
    for process in psutil.process_iter(["cmdline"]):
        if f"{tmp_path}/bin/dockerd" in (process.info["cmdline"] or ()):
            process.kill()


def no() -> bool:
    return False


def yes() -> bool:
    return True


def test_by_systemd_where_it_runs(systemd: Programs) -> None:
    systemd.add("systemctl")
    assert engine_setup.start(yes) == {"how": "systemd", "stop": "systemctl stop docker docker.socket"}
    assert systemd.calls == ["systemctl start docker"]


def test_systemd_that_fails_is_the_end(systemd: Programs) -> None:
    systemd.add("systemctl", "echo 'Unit docker.service is masked.' >&2; exit 1")
    with pytest.raises(EngineUnreachable, match="masked"):
        engine_setup.start(no)


def test_a_start_by_systemd_that_does_not_help_leads_to_the_journal(systemd: Programs) -> None:
    systemd.add("systemctl")
    with pytest.raises(EngineUnreachable) as caught:
        engine_setup.start(no)
    assert "journalctl" in caught.value.hint


def test_by_the_init_script_without_systemd(init_script: Programs) -> None:
    init_script.add("service")
    assert engine_setup.start(yes)["stop"] == "service docker stop"
    assert init_script.calls == ["service docker start"]


@pytest.mark.parametrize("body", ["exit 1", ""], ids=["fails", "does-not-help"])
def test_an_init_script_that_does_not_help_gives_way_to_a_detached_dockerd(
    init_script: Programs, dockerd: Callable[[], bool], body: str
) -> None:
    init_script.add("service", body)
    started = engine_setup.start(dockerd)
    assert started == {"how": engine_setup.DETACHED, "stop": f"kill $(cat {engine_setup._PID_FILE})"}


@pytest.mark.usefixtures("programs")
def test_detached_where_there_is_neither_and_stopped_again(dockerd: Callable[[], bool]) -> None:
    started = engine_setup.start(dockerd)
    process = psutil.Process(int(engine_setup._PID_FILE.read_text()))
    engine_setup.stop(started)
    assert not lives(process.pid)


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("text", [str(os.getpid()), "4194303", "", "nonsense"])
def test_a_pid_file_that_leads_elsewhere_stops_nothing(text: str) -> None:
    engine_setup._PID_FILE.parent.mkdir(parents=True)
    engine_setup._PID_FILE.write_text(text)
    engine_setup.stop({"how": engine_setup.DETACHED, "stop": "kill it"})  # the guard fails if a signal is sent


def test_a_dockerd_that_ends_is_told_in_its_own_words(programs: Programs) -> None:
    programs.add("dockerd", "echo 'starting up'; echo 'failed to start daemon: no iptables'; exit 1")
    with pytest.raises(EngineUnreachable, match="failed to start daemon: no iptables") as caught:
        engine_setup.start(no)
    assert str(engine_setup.LOG) in caught.value.hint


def test_stop_uses_the_command_that_was_noted(programs: Programs) -> None:
    programs.add("systemctl")
    engine_setup.stop({"how": "systemd", "stop": "systemctl stop docker docker.socket"})
    assert programs.calls == ["systemctl stop docker docker.socket"]


def test_installed(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.add("dockerd")
    assert engine_setup.installed()
    monkeypatch.setenv("PATH", "/nonexistent")
    assert not engine_setup.installed()


def test_data_of_an_engine_is_seen_and_removed(machine: Path) -> None:
    assert not engine_setup.has_data()
    (machine / "docker/volumes").mkdir(parents=True)
    engine_setup.LOG.touch()
    engine_setup._KEY.parent.mkdir()
    engine_setup._KEY.touch()
    (engine_setup._KEY.parent / "daemon.json").touch()
    assert engine_setup.has_data()
    engine_setup.remove_data()
    assert not engine_setup.has_data()
    assert not engine_setup.LOG.exists()
    assert [path.name for path in engine_setup._KEY.parent.iterdir()] == ["daemon.json"]
    engine_setup.remove_data()


@pytest.mark.parametrize(
    ("effective", "may"), [("000001ffffffffff", True), ("00000000a80425fb", False), ("0000000000200000", False)]
)
def test_an_engine_needs_rights_that_many_containers_lack(
    effective: str, may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = f"Name:\tx\nCapPrm:\t{0:016x}\nCapEff:\t{effective}\nCapBnd:\t{0:016x}\n"
    monkeypatch.setattr(Path, "read_text", lambda _path: status)
    assert engine_setup.may_run() is may
