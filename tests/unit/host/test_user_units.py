"""A user's own systemd, by a stand-in for systemctl: which unit runs a process, and how it is restarted."""

import os
from pathlib import Path

import psutil
import pytest

from devreg.host import user_units
from devreg.host.run import CommandFailed
from tests.unit.host.programs import Programs

CGROUP = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Programs(folder, monkeypatch)


def here(monkeypatch: pytest.MonkeyPatch, cgroup: str) -> None:
    monkeypatch.setattr(user_units, "_cgroup", lambda _: cgroup)


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        (CGROUP, "docker.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/my.service/inner\n", "my.service"),
        ("2:cpu:/\n1:name=systemd:/user.slice/user-1000.slice/user@1000.service/docker.service\n", "docker.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/term.scope\n", None),
        ("0::/system.slice/docker.service\n", None),
        ("0::/\n", None),
    ],
)
def test_a_unit_is_known_by_its_cgroup(
    monkeypatch: pytest.MonkeyPatch, programs: Programs, cgroup: str, unit: str | None
) -> None:
    here(monkeypatch, cgroup)
    programs.add("systemctl", f"echo {os.getpid()}")
    assert user_units.running(os.getpid(), "rootless") == unit
    assert programs.calls == ([f"systemctl --user show {unit} --property=MainPID --value"] if unit else [])


def test_the_main_process_may_be_what_started_it(monkeypatch: pytest.MonkeyPatch, programs: Programs) -> None:
    here(monkeypatch, CGROUP)
    parent = psutil.Process().parent()
    assert parent is not None
    programs.add("systemctl", f"echo {parent.pid}")
    assert user_units.running(os.getpid(), parent.name()) == "docker.service"
    assert user_units.running(os.getpid(), "rootlesskit") is None  # a shell or an editor, say


@pytest.mark.parametrize("body", ["exit 1", "echo", "echo 0", "echo words"])
def test_a_systemd_that_cannot_be_asked_runs_nothing(
    monkeypatch: pytest.MonkeyPatch, programs: Programs, body: str
) -> None:
    here(monkeypatch, CGROUP)
    programs.add("systemctl", body)
    assert user_units.running(os.getpid(), "rootless") is None


def test_a_process_that_is_gone_has_no_unit(programs: Programs) -> None:
    assert user_units.running(2**22 + 1, "rootless") is None
    assert programs.calls == []


def test_a_restart_also_after_failed_starts(monkeypatch: pytest.MonkeyPatch, programs: Programs) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    programs.add("systemctl", 'echo "in $XDG_RUNTIME_DIR" >&2; case "$*" in *reset-failed*) exit 1; esac')
    user_units.restart("docker.service")
    assert programs.calls == ["systemctl --user reset-failed docker.service", "systemctl --user restart docker.service"]


@pytest.mark.parametrize(("given", "used"), [(None, f"/run/user/{os.geteuid()}"), ("/x", "/x")])
def test_it_is_found_without_a_login(
    monkeypatch: pytest.MonkeyPatch, programs: Programs, given: str | None, used: str
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if given:
        monkeypatch.setenv("XDG_RUNTIME_DIR", given)
    programs.add("systemctl", 'echo "in $XDG_RUNTIME_DIR" >&2; exit 1')
    with pytest.raises(CommandFailed, match=f"in {used}$"):
        user_units.restart("docker.service")
