"""Docker Desktop and Windows' service: how they are recognised, where their files are, how they are restarted."""

from dataclasses import replace
from pathlib import Path

import pytest

from devreg.engine.client import Engine, connect
from devreg.flavours.desktop import desktop, is_desktop, is_windows_service, windows_service
from devreg.host import edits
from devreg.model.address import Address
from devreg.model.engine import EngineInfo
from devreg.model.errors import ConfigUnusable, EngineRefused
from tests.unit.engine.fake import FakeEngine
from tests.unit.host.programs import Programs

INFO = EngineInfo("28.5.2", "Docker Desktop", "linux", False, False, True, (), (), False, (), "overlay2")
OTHER = replace(INFO, operating_system="Debian", desktop=False)
WINDOWS = replace(OTHER, operating_system="Microsoft Windows Server Version 21H2", os_type="windows")
A = Address.parse("reg.example:5000")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Programs(folder, monkeypatch)


@pytest.mark.parametrize(
    ("info", "host", "known"),
    [
        (INFO, "unix:///var/run/docker.sock", True),
        (OTHER, "unix:///home/u/.docker/desktop/docker.sock", True),
        (OTHER, "unix:///Users/u/.docker/run/docker.sock", True),
        (OTHER, "unix:///var/run/docker.sock", False),
        (WINDOWS, "npipe:////./pipe/dockerDesktopWindowsEngine", True),
        (WINDOWS, "npipe:////./pipe/docker_engine", False),
    ],
)
def test_desktop_is_known_by_its_words_or_its_socket(info: EngineInfo, host: str, known: bool) -> None:
    assert is_desktop(info, host) is known


def test_desktop_is_known_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "docker.sock").symlink_to(tmp_path / ".docker/run/docker.sock")
    assert is_desktop(OTHER, f"unix://{tmp_path}/docker.sock")


def test_windows_service_is_known_by_its_pipe() -> None:
    assert is_windows_service(WINDOWS, "npipe:////./pipe/docker_engine")
    assert not is_windows_service(WINDOWS, "npipe:////./pipe/dockerDesktopWindowsEngine")
    assert not is_windows_service(INFO, "npipe:////./pipe/docker_engine")
    assert not is_windows_service(OTHER, "unix:///var/run/docker.sock")


def test_its_files_are_in_the_home(fake: FakeEngine, home: Path) -> None:
    flavour = desktop(connect(), INFO)
    file = home / ".docker/daemon.json"
    assert (flavour.name, flavour.service.applies, flavour.files.path) == ("desktop", "restart", file)
    assert flavour.certificates == home / ".docker/certs.d"
    assert desktop(connect(), WINDOWS).files.path == home / ".docker/windows-daemon.json"
    file.parent.mkdir()
    file.write_text('{\n  "builder": {"gc": {"enabled": true}},\n  "experimental": false\n}\n')
    before = file.read_bytes()
    edits.write(flavour.files.edits((A,), ()))
    assert flavour.files.listed() == ("reg.example:5000",)
    fake.info["RegistryConfig"]["IndexConfigs"]["reg.example:5000"] = {"Secure": False}
    back = flavour.files.edits((), (A,))
    edits.write(back)
    edits.settle(back)
    assert file.read_bytes() == before


def test_it_is_restarted_by_its_own_command(fake: FakeEngine, programs: Programs) -> None:
    del fake
    programs.add("docker")
    flavour = desktop(connect(), INFO)
    flavour.preflight((), restart=True, force=False)
    flavour.service.restart()
    assert programs.calls == ["docker desktop status", "docker desktop restart"]
    assert flavour.service.by_hand == "docker desktop restart"


def test_an_older_one_is_left_to_its_window(fake: FakeEngine, programs: Programs) -> None:
    del fake
    programs.add("docker", "echo \"docker: 'desktop' is not a docker command.\" >&2; exit 1")
    with pytest.raises(EngineRefused, match="'desktop' is not a docker command") as caught:
        desktop(connect(), INFO).preflight((), restart=True, force=False)
    assert "4.37" in caught.value.hint
    assert "Apply & restart" in caught.value.hint


def test_in_wsl_its_files_are_elsewhere() -> None:
    engine = Engine("unix:///mnt/wsl/docker-desktop/shared-sockets/guest-services/docker.proxy.sock")
    with pytest.raises(ConfigUnusable, match="Windows side"):
        desktop(engine, INFO)


def test_another_users_is_refused(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    del fake
    engine = connect()
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    with pytest.raises(ConfigUnusable, match="and so are its files"):
        desktop(engine, INFO)


def test_the_service_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: Programs) -> None:
    monkeypatch.setenv("ProgramData", str(tmp_path))
    flavour = windows_service(Engine("npipe:////./pipe/docker_engine"), WINDOWS)
    assert (flavour.name, flavour.service.applies) == ("windows", "restart")
    assert flavour.files.path == tmp_path / "docker/config/daemon.json"
    assert flavour.certificates == tmp_path / "docker/certs.d"
    programs.add("powershell")
    flavour.preflight((), restart=True, force=False)
    assert programs.calls == ["powershell -NoProfile -NonInteractive -Command Get-Service docker"]
    assert "'Restart-Service docker'" in flavour.service.by_hand
