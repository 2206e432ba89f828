"""The atomic writer: all of the new content or all of the old."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from devreg.host import files
from devreg.model.errors import ConfigUnusable


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "daemon.json"
    path.write_bytes(b"old")
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def fail(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))


def test_replaces_the_content_and_keeps_mode_owner_and_attributes(file: Path) -> None:
    file.chmod(0o640)
    if files.is_root():
        os.chown(file, 12, 34)
    os.setxattr(file, "user.note", b"kept")
    files.write_atomic(file, b"new")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o7777 == 0o640
    assert (file.stat().st_uid, file.stat().st_gid) == ((12, 34) if files.is_root() else (os.getuid(), os.getgid()))
    assert os.getxattr(file, "user.note") == b"kept"
    assert names(file.parent) == {"daemon.json"}


def test_a_new_file_gets_its_folder_and_mode(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        files.write_atomic(tmp_path / "etc/docker/daemon.json", b"{}")
        files.write_atomic(tmp_path / "secret", b"", mode=0o600)
    finally:
        os.umask(old)
    assert (tmp_path / "etc/docker/daemon.json").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_given_mode_wins_over_the_old_one(file: Path) -> None:
    files.write_atomic(file, b"new", mode=0o600)
    assert file.stat().st_mode & 0o777 == 0o600


def test_writes_through_symlinks(file: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link = tmp_path / "far/link.json"
    link.symlink_to("../middle.json")
    (tmp_path / "middle.json").symlink_to(file)
    files.write_atomic(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert not file.is_symlink()


@pytest.mark.parametrize("call", ["fsync", "fchmod", "fchown"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_call_leaves_the_old_file_and_no_other(
    file: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    monkeypatch.setattr(os, call, lambda *_: fail(number))
    with pytest.raises(ConfigUnusable, match=r"could not write .*daemon\.json: "):
        files.write_atomic(file, b"new")
    assert file.read_bytes() == b"old"
    assert names(file.parent) == {"daemon.json"}


def test_an_interrupt_leaves_the_old_file_and_no_other(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomic(file, b"new")
    assert file.read_bytes() == b"old"
    assert names(file.parent) == {"daemon.json"}


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EROFS, "read-only file system"),
        (errno.ENOSPC, "file system is full"),
        (errno.EACCES, "permission denied"),
        (errno.ENOTDIR, "Not a directory"),
    ],
)
def test_faults_are_told_plainly(file: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str) -> None:
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: fail(number))
    with pytest.raises(ConfigUnusable, match=words) as caught:
        files.write_atomic(file, b"new")
    assert caught.value.hint


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KB, which takes root to mount."""
    if not files.is_root():
        pytest.skip("mounting takes root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_full(small_disk: Path) -> None:
    file = small_disk / "daemon.json"
    file.write_bytes(b"old")
    with pytest.raises(ConfigUnusable, match="file system is full"):
        files.write_atomic(file, b"x" * 100_000)
    assert file.read_bytes() == b"old"
    assert names(small_disk) == {"daemon.json"}


def test_a_disk_that_is_read_only(small_disk: Path) -> None:
    file = small_disk / "daemon.json"
    file.write_bytes(b"old")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(ConfigUnusable, match="read-only"):
        files.write_atomic(file, b"new")
    with pytest.raises(ConfigUnusable, match="read-only"):
        files.remove(file)
    assert file.read_bytes() == b"old"


@pytest.fixture
def mounted(file: Path, small_disk: Path) -> Iterator[Path]:
    """`file` as a mount point, as where a container has its daemon.json from outside: rename gives EBUSY."""
    source = small_disk / "outside.json"
    source.write_bytes(b"outside")
    subprocess.run(["mount", "--bind", source, file], check=True)
    try:
        yield file
    finally:
        subprocess.run(["umount", file], check=True)


def test_a_file_that_is_a_mount_point_is_written_in_place(mounted: Path, small_disk: Path) -> None:
    files.write_atomic(mounted, b"new")
    assert mounted.read_bytes() == (small_disk / "outside.json").read_bytes() == b"new"
    assert "daemon.json" in names(mounted.parent)
    assert not [name for name in names(mounted.parent) if name.endswith(".new")]


def test_a_mount_point_on_a_full_disk_gets_its_old_content_back(mounted: Path) -> None:
    with pytest.raises(ConfigUnusable, match="file system is full"):
        files.write_atomic(mounted, b"x" * 100_000)
    assert mounted.read_bytes() == b"outside"


def test_reading(file: Path, tmp_path: Path) -> None:
    assert files.read(file) == b"old"
    assert files.read(tmp_path / "missing") is None
    with pytest.raises(ConfigUnusable, match="could not read"):
        files.read(tmp_path)


def test_removing(file: Path) -> None:
    files.remove(file)
    files.remove(file)
    assert not file.exists()


def test_a_backup_is_private(file: Path, tmp_path: Path) -> None:
    first = files.backup(file, tmp_path / "state/backups")
    second = files.backup(file, tmp_path / "state/backups")
    assert first != second
    assert first.read_bytes() == b"old"
    assert first.name.startswith("daemon.json.2")
    assert first.stat().st_mode & 0o777 == 0o600
    assert first.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnusable, match="could not back up"):
        files.backup(tmp_path / "missing", tmp_path)


def test_a_lock_is_held_alone(tmp_path: Path) -> None:
    lock = tmp_path / "state/lock"
    with (
        files.locked(lock),
        pytest.raises(ConfigUnusable, match="another devreg is at work"),
        files.locked(lock, seconds=0.1),
    ):
        raise AssertionError("two hold it")
    with files.locked(lock, seconds=0.1):
        pass


def test_of_many_copies_the_newest_stay(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    for number in range(23):
        file.write_text(str(number))
        files.backup(file, tmp_path / "backups")
    kept = sorted((tmp_path / "backups").iterdir())
    assert [path.read_text() for path in kept] == [str(number) for number in range(3, 23)]
