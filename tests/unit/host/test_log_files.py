"""Log files that are rotated while they are read."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path

import pytest

from devreg.host import log_files


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """One with two rotated ones, and files beside that are none."""
    for name, text in (("a.log", "5\n6\n"), ("a.log.1", "3\n4\n"), ("a.log.2", "1\n2\n"), ("a.log.old", "x\n")):
        (tmp_path / name).write_text(text)
    for number in range(3, 11):
        (tmp_path / f"a.log.{number}").write_text("")
    return tmp_path / "a.log"


def test_the_oldest_comes_first(log: Path) -> None:
    (log.parent / "a.log.10").write_text("0\n")
    assert b"".join(log_files.read(log, tail=None, follow=False)) == b"0\n1\n2\n3\n4\n5\n6\n"


@pytest.mark.parametrize(("tail", "lines"), [(0, b""), (1, b"6\n"), (3, b"4\n5\n6\n"), (99, b"1\n2\n3\n4\n5\n6\n")])
def test_the_last_lines(log: Path, tail: int, lines: bytes) -> None:
    assert b"".join(log_files.read(log, tail=tail, follow=False)) == lines


def test_nothing_was_ever_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        next(log_files.read(tmp_path / "none", tail=None, follow=False))
    assert log_files.last_line(tmp_path / "none") == "it said nothing"


def test_what_comes_is_followed_over_a_rotation(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "_POLL_SECONDS", 0)
    following = log_files.read(log, tail=1, follow=True)
    assert next(following) == b"6\n"
    with log.open("a") as stream:
        stream.write("7\n")
    assert next(following) == b"7\n"
    with log.open("a") as stream:
        stream.write("8\n")  # the last thing before the rotation
    log.rename(log.with_name("a.log.1"))
    assert next(following) == b"8\n"
    log.write_text("9\n")
    assert _some(following) == [b"9\n"]


def _some(following: Iterator[bytes]) -> list[bytes]:
    return list(islice(following, 1))


def test_the_last_line_is_the_last_that_says_something(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"x" * 50_000 + b"\nfirst\n [emerg] no \xff room \n\n  \n")
    assert log_files.last_line(file) == "[emerg] no � room"
    file.write_bytes(b"\n\n")
    assert log_files.last_line(file) == "it said nothing"


def test_lines_since_are_those_of_all_files_that_were_written_to_since(log: Path) -> None:
    for name, text, at in (("a.log.4.gz", "-1\n", 2000), ("a.log.3", "0\n", 2000), ("a.log.2", "1\n2\n", 1000)):
        file = log.parent / name
        file.write_bytes(gzip.compress(text.encode()) if file.suffix == ".gz" else text.encode())
        os.utime(file, (at, at))
    (log.parent / "a.log.4").unlink()
    since = datetime.fromtimestamp(1500, timezone.utc)
    assert list(log_files.lines(log, since)) == ["5", "6", "3", "4", "0", "-1"]
    assert list(log_files.lines(log.parent / "none.log", since)) == []
    assert b"".join(log_files.read(log, tail=None, follow=False)).startswith(b"-1\n0\n1\n2\n")
