"""Rootless Docker: whose it is, where its files are, how a unit of the user's restarts it. Reloads are for the live
tests."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from devreg.engine.client import connect
from devreg.flavours.flavour import Flavour
from devreg.flavours.rootless import rootless
from devreg.host.dockerd import Dockerd, Manager
from devreg.host.edits import Edit
from devreg.host.services import ServiceFailed
from devreg.model.engine import EngineInfo
from devreg.model.errors import ConfigUnusable, EngineRefused
from tests.unit.engine.fake import FakeEngine
from tests.unit.host.programs import Programs

INFO = EngineInfo("28.5.2", "Debian", "linux", True, False, False, (), ("127.0.0.0/8",), False, (), "overlay2")
FOLDER = Path("/home/u/.config/docker")
DOCKERD = Dockerd(os.getpid(), FOLDER / "daemon.json", (), Manager.DETACHED, folder=FOLDER)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Programs(folder, monkeypatch)


@pytest.fixture
def unit(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The unit that runs dockerd, for as long as there is one in the list."""
    units = ["docker.service"]
    monkeypatch.setattr("devreg.host.user_units.running", lambda *_: units[0] if units else None)
    monkeypatch.setattr("devreg.host.dockerd.find", lambda _, rootless: DOCKERD if rootless else None)
    return units


def flavour(tmp_path: Path, info: EngineInfo = INFO) -> Flavour:
    return rootless(connect(), info, tmp_path)


@pytest.mark.usefixtures("fake", "unit")
def test_its_files_are_its_users(tmp_path: Path) -> None:
    found = flavour(tmp_path)
    assert (found.name, found.service.applies) == ("rootless", "reload")
    assert found.files.path == FOLDER / "daemon.json"
    assert found.certificates == FOLDER / "certs.d"
    assert "sudo" not in found.service.by_hand
    assert found.service.log == "`journalctl --user --unit docker.service -n 20`"


@pytest.mark.usefixtures("fake", "unit")
def test_an_engine_that_loses_the_list_is_restarted(tmp_path: Path) -> None:
    info = replace(INFO, version="23.0.1", mirrors=("https://m",))
    assert flavour(tmp_path, info).service.applies == "restart"


def test_its_unit_is_restarted(fake: FakeEngine, unit: list[str], tmp_path: Path, programs: Programs) -> None:
    del unit
    programs.add("systemctl")
    found = flavour(tmp_path)
    found.preflight((), restart=True, force=False)
    found.service.restart()
    assert programs.calls == ["systemctl --user reset-failed docker.service", "systemctl --user restart docker.service"]
    assert fake.requests("GET", "/_ping")


@pytest.mark.usefixtures("fake", "unit")
def test_a_flag_that_its_unit_gives_it_next_is_refused(
    tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devreg.host.daemon_check.complaint", lambda *_: None)
    programs.add("systemctl", 'echo "ExecStart={ argv[]=dockerd-rootless.sh --insecure-registry x ; }"')
    look, file = flavour(tmp_path).preflight, tmp_path / "daemon.json"
    listing = Edit(file, None, b'{"insecure-registries": ["reg.example:5000"]}')
    with pytest.raises(
        ConfigUnusable, match=r"at its next start dockerd gets --insecure-registry from docker\.service"
    ):
        look((listing,), restart=False, force=True)
    look((Edit(file, b"{}", b"{}"),), restart=False, force=True)
    programs.add("systemctl", "exit 1")
    look((listing,), restart=False, force=True)


@pytest.mark.usefixtures("fake", "unit")
def test_a_restart_that_fails_is_said(tmp_path: Path, programs: Programs) -> None:
    programs.add("systemctl", 'echo "Job for docker.service failed." >&2; exit 1')
    with pytest.raises(ServiceFailed, match=r"could not be restarted: .*Job for"):
        flavour(tmp_path).service.restart()


@pytest.mark.usefixtures("fake")
def test_without_a_unit_it_is_not_restarted(unit: list[str], tmp_path: Path) -> None:
    unit.clear()
    found = flavour(tmp_path)
    with pytest.raises(EngineRefused, match="a parent that may watch over it"):
        found.preflight((), restart=True, force=False)
    with pytest.raises(ServiceFailed, match=r"no unit .* runs dockerd .*where it was started"):
        found.service.restart()
    assert "dockerd-rootless.sh" in found.service.by_hand
    assert "where it was started" in found.service.log


@pytest.mark.usefixtures("fake", "unit")
def test_another_users_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = connect()
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    with pytest.raises(ConfigUnusable, match="and so are its files"):
        rootless(engine, INFO, tmp_path)
