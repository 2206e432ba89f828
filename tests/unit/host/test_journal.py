"""The journal of a change: what was put on record comes back as it was, and a damaged record is named."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.host.edits import Edit
from devreg.host.journal import Entry, Journal
from devreg.model.errors import ConfigUnusable

CONTENTS = st.none() | st.binary(max_size=8)
PATHS = st.text(min_size=1, max_size=8).map(lambda name: Path("/etc") / name)
EDITS = st.builds(Edit, PATHS, CONTENTS, CONTENTS, CONTENTS, st.booleans())
TEXTS = st.lists(st.text(max_size=8), max_size=3).map(tuple)
ENTRIES = st.builds(
    Entry,
    flavour=st.text(max_size=8),
    edits=st.lists(EDITS, max_size=3).map(tuple),
    undoing=st.lists(EDITS, max_size=3).map(tuple),
    added=TEXTS,
    removed=TEXTS,
    live=st.none() | TEXTS,
    proven=st.booleans(),
)
ENTRY = Entry(
    flavour="rootful",
    edits=(Edit(Path("/etc/docker/daemon.json"), b"{}", b"\xff\0\r\n", None, own_folder=True),),
    undoing=(Edit(Path("/etc/docker/daemon.json"), b"", None, b"{ }"),),
    added=("registry.example:5000", "[::1]:5000"),
    removed=(),
    live=(),
)
DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state/trust.journal"


def test_nothing_was_interrupted_where_nothing_was_begun(journal: Journal, file: Path) -> None:
    assert journal.interrupted() is None
    journal.end()
    journal.sweep()
    assert not file.exists()


def test_what_was_begun_is_found(journal: Journal, file: Path) -> None:
    journal.begin(ENTRY)
    assert journal.interrupted() == ENTRY
    assert file.stat().st_mode & 0o777 == 0o600
    journal.prove(ENTRY)
    assert journal.interrupted() == replace(ENTRY, proven=True)
    journal.end()
    assert journal.interrupted() is None
    assert list(file.parent.iterdir()) == []


@given(ENTRIES)
def test_every_entry_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, entry: Entry) -> None:
    journal = Journal(tmp_path_factory.getbasetemp() / "journals")
    journal.begin(entry)
    assert journal.interrupted() == entry


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b"\0" * 512, DEEP])
def test_a_damaged_record_is_named(journal: Journal, file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    for ask in (journal.interrupted, journal.sweep):
        with pytest.raises(ConfigUnusable, match="is damaged") as caught:
            ask()
        assert str(file) in caught.value.message
        assert "backups" in caught.value.hint
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    "fault",
    [
        {"edits": None},
        {"edits": [{}]},
        {"edits": [{"path": "/a", "before": "e30", "after": None, "passing": None, "own_folder": False}]},
        {"undoing": [{"path": 5, "before": None, "after": None, "passing": None, "own_folder": False}]},
        {"added": 5},
        {"live": 5},
    ],
    ids=str,
)
def test_a_record_with_a_part_that_means_nothing_is_named(journal: Journal, file: Path, fault: dict[str, Any]) -> None:
    journal.begin(ENTRY)
    file.write_text(json.dumps({**json.loads(file.read_bytes()), **fault}))
    with pytest.raises(ConfigUnusable, match="is damaged"):
        journal.interrupted()


@pytest.mark.parametrize("part", ["flavour", "edits", "undoing", "added", "removed", "live", "proven"])
def test_a_record_without_a_part_is_named(journal: Journal, file: Path, part: str) -> None:
    journal.begin(ENTRY)
    whole = json.loads(file.read_bytes())
    del whole[part]
    file.write_text(json.dumps(whole))
    with pytest.raises(ConfigUnusable, match="is damaged"):
        journal.interrupted()


def test_strays_of_killed_writers_are_swept(journal: Journal, file: Path, tmp_path: Path) -> None:
    settings = tmp_path / "etc/daemon.json"
    settings.parent.mkdir()
    journal.begin(replace(ENTRY, edits=(Edit(settings, None, b"{}"),)))
    strays = [file.parent / ".trust.journal.x1.new", file.parent / ".trust.json.x2.new"]
    strays += [settings.parent / ".daemon.json.x3.new", settings.parent / ".daemon.json..new"]
    others = [file.parent / "trust.json.new", settings.parent / "daemon.json.new", settings.parent / ".other.x.new"]
    for path in (*strays, *others):
        path.touch()
    journal.sweep()
    assert not any(path.exists() for path in strays)
    assert all(path.exists() for path in others)
    assert journal.interrupted() is not None
