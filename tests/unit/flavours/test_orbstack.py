"""OrbStack: how it is recognised, where its files are, how it is restarted."""

from dataclasses import replace
from pathlib import Path

import pytest

from devreg.engine.client import connect
from devreg.flavours.orbstack import is_orbstack, orbstack
from devreg.host import edits
from devreg.model.address import Address
from devreg.model.engine import EngineInfo
from devreg.model.errors import ConfigUnusable, EngineRefused
from tests.unit.engine.fake import FakeEngine
from tests.unit.host.programs import Programs

INFO = EngineInfo("28.5.2", "OrbStack", "linux", False, False, False, (), ("127.0.0.0/8",), False, (), "overlay2")
OTHER = replace(INFO, operating_system="Debian")
A = Address.parse("reg.example:5000")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Programs(folder, monkeypatch)


def test_it_is_known_by_its_words_or_its_socket(tmp_path: Path) -> None:
    assert is_orbstack(INFO, "unix:///var/run/docker.sock")
    assert is_orbstack(OTHER, "unix:///Users/u/.orbstack/run/docker.sock")
    assert not is_orbstack(OTHER, "unix:///var/run/docker.sock")
    (tmp_path / "docker.sock").symlink_to(tmp_path / ".orbstack/run/docker.sock")
    assert is_orbstack(OTHER, f"unix://{tmp_path}/docker.sock")


def test_its_file_is_in_the_home(fake: FakeEngine, home: Path) -> None:
    del fake
    flavour = orbstack(connect(), INFO)
    assert (flavour.name, flavour.service.applies) == ("orbstack", "restart")
    assert flavour.files.path == home / ".orbstack/config/docker.json"
    assert flavour.certificates == home / ".docker/certs.d"
    edits.write(flavour.files.edits((A,), ()))
    assert flavour.files.path.read_text() == '{\n  "insecure-registries": ["reg.example:5000"]\n}\n'


def test_it_is_restarted_by_orb(fake: FakeEngine, programs: Programs) -> None:
    del fake
    flavour = orbstack(connect(), INFO)
    with pytest.raises(EngineRefused, match="no such program") as caught:
        flavour.preflight((), restart=True, force=False)
    assert "`orb`" in caught.value.hint
    programs.add("orb")
    flavour.preflight((), restart=True, force=False)
    flavour.service.restart()
    assert programs.calls == ["orb status", "orb restart docker"]
    assert flavour.service.by_hand == "orb restart docker"


def test_another_users_is_refused(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    del fake
    engine = connect()
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    with pytest.raises(ConfigUnusable, match="and so are its files"):
        orbstack(engine, INFO)
