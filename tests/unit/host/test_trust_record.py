"""What devreg remembers of its own additions: in their order, for each file, over runs."""

import json
from pathlib import Path

import pytest

from devreg.host.trust_record import TrustRecord
from devreg.model.errors import ConfigUnusable

FILE, OTHER = Path("/etc/docker/daemon.json"), Path("/etc/other/daemon.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_it_begins_empty(folder: Path) -> None:
    record = TrustRecord(folder)
    assert record.added(FILE) == ()
    assert record.paths() == ()
    assert not record.left(FILE, b"")
    assert not folder.exists()


def test_what_was_added_is_remembered_by_the_next_run(folder: Path) -> None:
    TrustRecord(folder).note(FILE, added=("b:1", "a:1"), removed=(), content=b"1")
    TrustRecord(folder).note(FILE, added=("c:1", "a:1"), removed=(), content=b"2")
    record = TrustRecord(folder)
    assert record.added(FILE) == ("b:1", "a:1", "c:1")
    assert record.paths() == (FILE,)
    assert (folder / "trust.json").stat().st_mode & 0o777 == 0o600


def test_what_was_taken_away_is_forgotten(folder: Path) -> None:
    record = TrustRecord(folder)
    record.note(FILE, added=("a:1", "b:1"), removed=(), content=b"1")
    record.note(FILE, added=(), removed=("a:1", "never:1"), content=b"2")
    assert TrustRecord(folder).added(FILE) == ("b:1",)
    record.note(FILE, added=(), removed=("b:1",), content=b"3")
    assert TrustRecord(folder).added(FILE) == ()
    assert TrustRecord(folder).paths() == ()
    assert TrustRecord(folder).left(FILE, b"3")


def test_files_are_apart(folder: Path) -> None:
    record = TrustRecord(folder)
    record.note(FILE, added=("a:1",), removed=(), content=b"1")
    record.note(OTHER, added=("b:1",), removed=("a:1",), content=b"2")
    assert (record.added(FILE), record.added(OTHER)) == (("a:1",), ("b:1",))
    assert record.paths() == (FILE, OTHER)
    assert not record.left(FILE, b"2")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\0"])
def test_it_knows_the_content_that_devreg_left(folder: Path, content: bytes) -> None:
    TrustRecord(folder).note(FILE, added=(), removed=(), content=content)
    record = TrustRecord(folder)
    assert record.left(FILE, content)
    assert not record.left(FILE, content + b" ")
    record.note(FILE, added=(), removed=(), content=b"newer")
    assert not record.left(FILE, content)


def test_no_file_counts_as_an_empty_one(folder: Path) -> None:
    TrustRecord(folder).note(FILE, added=(), removed=(), content=None)
    assert TrustRecord(folder).left(FILE, b"")


@pytest.mark.parametrize("content", ["{", "[]", "null", "5"])
def test_a_damaged_record_is_named(folder: Path, content: str) -> None:
    folder.mkdir()
    (folder / "trust.json").write_text(content)
    with pytest.raises(ConfigUnusable, match=r"trust\.json is damaged"):
        TrustRecord(folder)


def test_entries_of_other_keys_stay(folder: Path) -> None:
    folder.mkdir()
    (folder / "trust.json").write_text(json.dumps({str(OTHER): {"added": ["x:1"], "left": "?", "more": 1}}))
    TrustRecord(folder).note(FILE, added=("a:1",), removed=(), content=b"")
    kept = json.loads((folder / "trust.json").read_text())
    assert kept[str(OTHER)] == {"added": ["x:1"], "left": "?", "more": 1}


def test_strays_are_swept(folder: Path) -> None:
    TrustRecord(folder).note(FILE, added=("a:1",), removed=(), content=b"")
    (folder / ".trust.json.abc.new").touch()
    TrustRecord(folder).sweep()
    assert [each.name for each in folder.iterdir()] == ["trust.json"]
