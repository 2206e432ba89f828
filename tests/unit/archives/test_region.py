"""A part of a file, read as a file; and that only files are read."""

import io
import os
from pathlib import Path

import pytest

from devreg.archives.region import Region, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    return path


def test_it_begins_and_ends_inside_the_file(path: Path) -> None:
    with Region(path, 2, 5) as region:
        assert region.read() == b"23456"
        assert region.read(1) == b""


def test_it_is_read_from_any_place(path: Path) -> None:
    with Region(path, 2, 5) as region:
        assert region.readable()
        assert region.seekable()
        assert region.seek(3) == 3
        assert region.read() == b"56"
        assert region.seek(-1, io.SEEK_END) == 4
        assert region.read(10) == b"6"
        assert region.seek(-2, io.SEEK_CUR) == 3
        assert region.seek(-100) == 0
        assert region.seek(100) == 5
        assert region.read() == b""


def test_two_are_read_beside_each_other(path: Path) -> None:
    with Region(path, 0, 4) as one, Region(path, 4, 4) as other:
        assert (one.read(2), other.read(2), one.read(2), other.read(2)) == (b"01", b"45", b"23", b"67")


def test_a_file_that_became_shorter_ends_early(path: Path) -> None:
    with Region(path, 5, 5) as region:
        path.write_bytes(b"0123456")
        assert region.read() == b"56"


def test_closing_lets_go_of_the_file(path: Path) -> None:
    region = Region(path, 0, 1)
    region.close()
    region.close()
    with pytest.raises(ValueError, match="closed"):
        region.read(1)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: object) -> None:
    make(tmp_path / "odd")  # type: ignore[operator]
    with pytest.raises(OSError, match=r"not a regular file|Is a directory"):
        opened(tmp_path / "odd")


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Region(tmp_path / "none", 0, 1)
