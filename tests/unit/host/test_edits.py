"""Edits put into files: what the engine reads, what stays, and the way back."""

from pathlib import Path

import pytest

from devreg.host import edits, files
from devreg.host.edits import Edit
from devreg.model.errors import ConfigUnusable

OLD, PASSING, NEW = b"old", b"passing", b"new"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "settings"
    file.write_bytes(OLD)
    return file


def test_the_engine_reads_what_passes_and_the_other_stays(file: Path) -> None:
    change = (Edit(file, OLD, NEW, PASSING),)
    edits.write(change)
    assert file.read_bytes() == PASSING
    edits.settle(change)
    assert file.read_bytes() == NEW


def test_without_anything_that_passes_one_writing_is_all(file: Path) -> None:
    change = (Edit(file, OLD, NEW),)
    edits.write(change)
    assert file.read_bytes() == NEW
    written = file.stat().st_ino
    edits.write(change)
    edits.settle(change)
    assert file.stat().st_ino == written


def test_nothing_may_pass_and_nothing_may_stay(file: Path) -> None:
    change = (Edit(file, OLD, None, b""),)
    edits.write(change)
    assert file.read_bytes() == b""
    edits.settle(change)
    assert not file.exists()
    edits.settle(change)
    assert not file.exists()


def test_what_somebody_else_has_written_meanwhile_stays(file: Path) -> None:
    change = (Edit(file, OLD, NEW, PASSING),)
    edits.write(change)
    file.write_bytes(b"theirs")
    edits.settle(change)
    assert file.read_bytes() == b"theirs"


def test_a_file_may_be_made_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "folder/new"
    edits.write((Edit(file, None, NEW),))
    assert file.read_bytes() == NEW
    edits.write((Edit(file, NEW, None),))
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]
    assert not file.exists()


def test_a_folder_of_its_own_goes_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "registry/hosts.toml"
    making = Edit(file, None, NEW, own_folder=True)
    edits.write((making,))
    edits.write((making.reversed(),))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_else_in_it_stays(tmp_path: Path) -> None:
    file = tmp_path / "registry/hosts.toml"
    making = Edit(file, None, NEW, own_folder=True)
    edits.write((making,))
    (tmp_path / "registry/ca.crt").touch()
    edits.write((making.reversed(),))
    assert [each.name for each in (tmp_path / "registry").iterdir()] == ["ca.crt"]


@pytest.mark.parametrize("before", [OLD, None])
@pytest.mark.parametrize("after", [NEW, None])
@pytest.mark.parametrize("passing", [PASSING, None])
def test_the_way_back_begins_with_what_the_engine_has_read(
    file: Path, before: bytes | None, after: bytes | None, passing: bytes | None
) -> None:
    edit = Edit(file, before, after, passing, own_folder=True)
    assert edit.read == (passing or after)
    assert edit.reversed() == Edit(file, edit.read, before, own_folder=True)


def test_several_files_are_written_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / name for name in ("b", "a", "c")]
    written: list[Path] = []
    monkeypatch.setattr(files, "write_atomic", lambda path, _: written.append(path))
    edits.write([Edit(path, None, NEW) for path in paths])
    assert written == paths


def test_a_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_bytes(OLD)
    with pytest.raises(ConfigUnusable, match="a-file/settings"):
        edits.write((Edit(blocked / "settings", None, NEW),))
    assert blocked.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [blocked]
