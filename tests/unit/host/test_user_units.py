"""A user's own systemd, by a stand-in for systemctl: which unit runs a process, what it starts, how it is restarted."""

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


@pytest.fixture
def home(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home, that of nobody else, whose systemd knows of no flag."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    programs.add("systemctl", 'echo "ExecStart={ argv[]=dockerd-rootless.sh ; }"')
    return tmp_path / "home"


GIVEN = "[Service]\nExecStart=\nExecStart=dockerd-rootless.sh --insecure-registry a:1\n"


@pytest.mark.parametrize(
    "folder", ["home/.config/systemd/user", "home/.local/share/systemd/user", "runtime/systemd/user"]
)
@pytest.mark.parametrize("file", ["docker.service", "docker.service.d/x.conf", "service.d/x.conf"])
def test_what_its_systemd_has_not_read_yet_is_seen(home: Path, programs: Programs, folder: str, file: str) -> None:
    assert "insecure" not in user_units.command("docker.service")
    path = home.parent / folder / file
    path.parent.mkdir(parents=True)
    path.write_text(GIVEN)
    assert user_units.command("docker.service").split("\n") == [
        "ExecStart={ argv[]=dockerd-rootless.sh ; }",
        "",
        "dockerd-rootless.sh --insecure-registry a:1",
    ]
    assert set(programs.calls) == {"systemctl --user show docker.service --property=ExecStart,Environment"}


def test_the_home_comes_before_the_runtime_folder(home: Path) -> None:
    for folder, text in {home / ".config": "", home.parent / "runtime": GIVEN, home / ".local/share": GIVEN}.items():
        file = folder / "systemd/user/docker.service.d/x.conf"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    assert "insecure" not in user_units.command("docker.service")
    (home / ".config/systemd/user/docker.service.d/x.conf").unlink()
    assert "insecure" in user_units.command("docker.service")


def test_the_machines_folders_are_read_too(home: Path) -> None:
    del home
    folders = user_units._folders()
    order = [folders.index(f"{start}/systemd/user") for start in ("/etc", "/run", "/usr/local/lib", "/usr/lib")]
    assert order == sorted(order)


def test_variables_from_a_file_are_seen(home: Path) -> None:
    folder = home / ".config/systemd/user"
    folder.mkdir(parents=True)
    (home / "env").write_text("O=--insecure-registry a:1\n")
    (folder / "docker.service").write_text(f"[Service]\nEnvironmentFile={home}/env\nExecStart=dockerd-rootless.sh $O\n")
    assert "--insecure-registry a:1" in user_units.command("docker.service")


def test_its_files_are_read_also_where_its_systemd_says_nothing(home: Path, programs: Programs) -> None:
    programs.add("systemctl", "exit 1")
    assert user_units.command("docker.service") == ""
    file = home / ".config/systemd/user/docker.service"
    file.parent.mkdir(parents=True)
    file.write_text(GIVEN)
    assert "--insecure-registry" in user_units.command("docker.service")
