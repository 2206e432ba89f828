"""A file of the cache: whose file it is that is emptied or made anew."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from devreg.host.cache_file import CacheFile
from devreg.model.errors import RefusedOverwrite

TABLES = "CREATE TABLE IF NOT EXISTS words (word TEXT);"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[CacheFile]:
    made = opened(tmp_path)
    yield made
    made.close()


def opened(folder: Path) -> CacheFile:
    return CacheFile("words.sqlite", TABLES, 1, folder)


def add(file: CacheFile, word: str) -> None:
    file.change(("INSERT INTO words VALUES (?)", (word,)))


def words(file: CacheFile) -> list[str]:
    return file.ask(str, "SELECT word FROM words")


def test_one_that_another_has_made_anew_meanwhile_is_not_made_anew_again(file: CacheFile, tmp_path: Path) -> None:
    add(file, "old")
    other = opened(tmp_path)
    with file.path().open("r+b") as damaged:
        file.path().unlink()
        add(other, "new")
        damaged.write(b"\xff" * 9000)
    inode = file.path().stat().st_ino
    assert words(file) == ["new"]
    assert file.path().stat().st_ino == inode
    other.close()


def test_those_that_use_it_go_on_when_it_is_emptied(file: CacheFile, tmp_path: Path) -> None:
    add(file, "old" * 10_000)
    other = opened(tmp_path)
    assert len(words(other)) == 1
    inode, size = file.path().stat().st_ino, file.path().stat().st_size
    file.clear()
    assert (words(other), file.entries()) == ([], 0)
    assert file.path().stat().st_size < size
    add(other, "new")
    assert words(file) == ["new"]
    assert file.path().stat().st_ino == inode
    other.close()


def test_an_open_transaction_is_waited_for(file: CacheFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what it wrote is forgotten too, or the user told that it is not: never half of it."""
    add(file, "old")
    monkeypatch.setattr("devreg.host.cache_file._BUSY_SECONDS", 0.05)
    with sqlite3.connect(file.path(), isolation_level=None) as raw:
        raw.execute("BEGIN IMMEDIATE")
        raw.execute("INSERT INTO words VALUES ('new')")
        with pytest.raises(Exception, match="locked"):
            file.clear()
        raw.execute("COMMIT")
    raw.close()
    file.clear()
    assert words(file) == []


def test_what_is_no_database_is_deleted(file: CacheFile) -> None:
    file.path().write_bytes(b"not a database" * 500)
    file.clear()
    assert not file.path().exists()
    add(file, "new")
    assert words(file) == ["new"]


def test_tables_of_any_name_are_emptied(file: CacheFile) -> None:
    with sqlite3.connect(file.path()) as raw:
        raw.executescript('CREATE TABLE "a ""b" (x); PRAGMA user_version = 7; INSERT INTO "a ""b" VALUES (1)')
        file.clear()
        assert raw.execute('SELECT COUNT(*) FROM "a ""b"').fetchone() == (0,)
        assert raw.execute("PRAGMA user_version").fetchone() == (7,)
    raw.close()


def test_a_pipe_in_its_place_is_not_waited_for(file: CacheFile, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "words.sqlite")
    add(file, "new")
    assert words(file) == []
    with pytest.raises(RefusedOverwrite):
        file.clear()
    assert file.path().is_fifo()
