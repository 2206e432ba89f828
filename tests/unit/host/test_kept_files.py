"""Files with their rights, and the record of an install."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from devreg.host.install_record import Before, Change, InstallRecord, Put
from devreg.host.kept_files import Kept, group_id, look, put
from devreg.host.system_units import UnitState
from devreg.model.errors import ConfigUnusable, ServerError
from devreg.model.installed import InstalledSite
from devreg.model.server import Listen
from devreg.model.server_tls import Certificate
from tests.unit.host.moments import kills

OWN = {"owner": os.geteuid(), "group": os.getegid()}
SECRET = Kept(b"alice:$2y$08$x\n", 0o640, **OWN)
BEFORE = Before({Path("/a"): SECRET, Path("/b"): None}, UnitState(enabled=True), nginx=True, volume=False, network=True)
SITE = InstalledSite(
    Listen("::1", 443), "a.example", "a.example", "given", Certificate("/etc/a.pem", "/etc/a.key"), "registry:2"
)
CHANGE = Change(BEFORE, {Path("/a"): None, Path("/b"): "0" * 64})


def test_a_file_comes_back_with_its_rights(tmp_path: Path) -> None:
    file = tmp_path / "users"
    put(file, SECRET)
    assert look(file) == SECRET
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    put(file, None)
    assert look(file) is None
    put(file, None)


def test_rights_alone_are_a_change_too(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_bytes(SECRET.content)
    file.chmod(0o644)
    assert look(file) != SECRET
    put(file, SECRET)
    assert look(file) == SECRET


def test_no_content_in_what_is_printed() -> None:
    assert "alice" not in repr(SECRET)


def test_the_number_of_a_group() -> None:
    assert group_id("root") == 0
    with pytest.raises(ServerError, match="no-such-group"):
        group_id("no-such-group")


def test_a_change_is_on_record_until_it_is_over(tmp_path: Path) -> None:
    InstallRecord(tmp_path).begin(CHANGE)
    assert InstallRecord(tmp_path).under_way() == CHANGE
    assert stat.S_IMODE((tmp_path / "install.json").stat().st_mode) == 0o600
    InstallRecord(tmp_path).give_up()
    assert InstallRecord(tmp_path).under_way() is None
    assert list(tmp_path.iterdir()) == []


def test_done_and_installed_come_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = Put({Path("/b"): "0" * 64}, BEFORE, SITE)
    record = InstallRecord(tmp_path)
    record.begin(CHANGE)
    for number in kills(monkeypatch, lambda: InstallRecord(tmp_path).settle(done)):
        now = InstallRecord(tmp_path)
        assert (now.under_way(), now.installed()) in ((CHANGE, None), (None, done)), number
        if now.under_way() is None:
            return
    assert InstallRecord(tmp_path).installed() == done


def test_nothing_installed_leaves_no_file(tmp_path: Path) -> None:
    record = InstallRecord(tmp_path)
    record.begin(CHANGE)
    record.settle(Put({}, BEFORE, SITE))
    record.begin(CHANGE)
    record.settle(None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["installed", "under_way"])
def test_damage_is_named(tmp_path: Path, key: str) -> None:
    (tmp_path / "install.json").write_text(json.dumps({key: {"before": {"files": {"/a": {"content": "?"}}}}}))
    record = InstallRecord(tmp_path)
    with pytest.raises(ConfigUnusable, match=r"install\.json is damaged"):
        record.installed() if key == "installed" else record.under_way()
