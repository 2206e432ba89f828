from __future__ import annotations

import stat
from pathlib import Path

import pytest

from devreg.host import state
from devreg.host.state import Record, state_folder
from devreg.model.errors import ConfigUnusable


def test_root_has_the_machines_folder_and_others_their_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert state_folder() == home / "state/devreg"
    monkeypatch.setattr(state, "is_root", lambda: True)
    assert state_folder() == Path("/var/lib/devreg")


def test_what_is_noted_is_on_disk_at_once(tmp_path: Path) -> None:
    record = Record("tour", tmp_path)
    assert record.entries == {}
    record.note("packages", ["a", "b"])
    assert Record("tour", tmp_path).entries == {"packages": ["a", "b"]}
    assert stat.S_IMODE((tmp_path / "tour.json").stat().st_mode) == 0o600


def test_the_file_goes_with_the_last_entry(tmp_path: Path) -> None:
    record = Record("tour", tmp_path)
    record.note("a", 1)
    record.note("b", 2)
    record.forget("a")
    assert Record("tour", tmp_path).entries == {"b": 2}
    record.forget("b")
    assert list(tmp_path.iterdir()) == []
    record.forget("b")


@pytest.mark.parametrize("text", ["{", "[]", "null", '"x"'])
def test_a_damaged_record_is_named_and_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tour.json"
    file.write_text(text)
    with pytest.raises(ConfigUnusable, match=r"tour\.json"):
        Record("tour", tmp_path)
    assert file.read_text() == text
