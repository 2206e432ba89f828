"""Docker's snap: how it is recognised, where its files are, how it is restarted."""

from dataclasses import replace
from pathlib import Path

import pytest

from devreg.engine.client import connect
from devreg.flavours.snap import is_snap, snap
from devreg.host.services import ServiceFailed
from devreg.model.engine import EngineInfo
from devreg.model.errors import EngineRefused
from tests.unit.engine.fake import FakeEngine
from tests.unit.host.programs import Programs

INFO = EngineInfo("28.5.2", "Ubuntu Core 24", "linux", False, False, False, (), ("127.0.0.0/8",), False, (), "overlay2")
HOST = "unix:///var/run/docker.sock"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Programs(folder, monkeypatch)


def test_it_is_known_by_its_data_or_by_its_program(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = ["/usr/bin/dockerd"]
    monkeypatch.setattr("devreg.host.dockerd.program", lambda _: runs[0])
    assert is_snap(replace(INFO, data_root="/var/snap/docker/common/var-lib-docker"), HOST)
    elsewhere = replace(INFO, data_root="/srv/docker")
    assert not is_snap(elsewhere, HOST)
    runs[0] = "/snap/docker/2932/bin/dockerd"
    assert is_snap(elsewhere, HOST)
    assert not is_snap(elsewhere, "npipe:////./pipe/docker_engine")


def test_a_socket_that_leads_nowhere_is_no_snap(tmp_path: Path) -> None:
    assert not is_snap(INFO, f"unix://{tmp_path}/none")


def test_its_files_are_the_snaps(fake: FakeEngine) -> None:
    flavour = snap(connect(), INFO)
    assert (flavour.name, flavour.service.applies) == ("snap", "restart")
    assert str(flavour.files.path) == "/var/snap/docker/current/config/daemon.json"
    assert str(flavour.certificates) == "/var/snap/docker/current/etc/docker/certs.d"
    fake.info["RegistryConfig"]["IndexConfigs"]["reg.example:5000"] = {"Secure": False}
    assert flavour.witness.live() == frozenset({"reg.example:5000", "127.0.0.0/8"})


def test_it_is_restarted_by_snap(fake: FakeEngine, programs: Programs) -> None:
    service = snap(connect(), INFO).service
    programs.add("snap")
    service.restart()
    service.reload()
    assert programs.calls == ["snap restart docker"] * 2
    assert service.by_hand == "sudo snap restart docker"
    assert fake.requests("GET", "/_ping")


def test_a_restart_that_fails_is_said(fake: FakeEngine, programs: Programs) -> None:
    del fake
    programs.add("snap", 'echo "error: access denied" >&2; exit 1')
    with pytest.raises(ServiceFailed, match=r"Docker's snap could not be restarted: .*access denied"):
        snap(connect(), INFO).service.restart()


def test_without_snap_nothing_is_begun(fake: FakeEngine, programs: Programs) -> None:
    del fake
    flavour = snap(connect(), INFO)
    with pytest.raises(EngineRefused, match=r"cannot be restarted from here: .*no such program"):
        flavour.preflight((), restart=True, force=True)
    programs.add("snap")
    flavour.preflight((), restart=True, force=False)
    assert programs.calls == ["snap services docker"]
