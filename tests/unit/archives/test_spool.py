"""A member of a pipe on disk: what is there while it is pushed, and that it is gone then."""

import hashlib
import io
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from devreg.archives.one_pass import Member, one_pass
from devreg.archives.spool import spooled
from devreg.model.errors import ArchiveUnusable
from tests.unit.direct.built import sha256, tarred

CONTENT = b"content" * 1000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def member(name: str = "layer.tar") -> Member:
    return Member(name, 512, len(CONTENT), CONTENT[:512], iter((CONTENT[:3000], CONTENT[3000:])))


def test_it_is_read_again_and_again(folder: Path) -> None:
    with spooled(member()) as spool:
        assert spool.digest == sha256(CONTENT)
        assert (spool.member.name, spool.member.size, spool.member.head()) == ("layer.tar", len(CONTENT), CONTENT[:512])
        for _ in range(2):
            assert b"".join(spool.member.blocks()) == CONTENT
        (file,) = folder.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == []


def test_the_digest_is_of_the_kind_that_its_name_promises() -> None:
    with spooled(member(f"blobs/sha512/{'0' * 128}")) as spool:
        assert spool.digest == f"sha512:{hashlib.sha512(CONTENT).hexdigest()}"
    with spooled(member(f"blobs/sha256/{'0' * 64}")) as spool:
        assert spool.digest == sha256(CONTENT)


def test_it_is_gone_after_a_failure(folder: Path) -> None:
    with pytest.raises(KeyError), spooled(member()):
        raise KeyError
    assert list(folder.iterdir()) == []


def test_a_pipe_that_ends_early_leaves_nothing(folder: Path) -> None:
    def take(cut: Member, _small: Mapping[str, bytes]) -> None:
        with spooled(cut):
            raise AssertionError

    with pytest.raises(ArchiveUnusable, match="ends early"):
        one_pass(io.BytesIO(tarred({"layer.tar": CONTENT})[:3000]), take, "the pipe")
    assert list(folder.iterdir()) == []


def test_no_folder_for_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent/folder")
    with pytest.raises(ArchiveUnusable, match=r"layer\.tar cannot be kept on disk .*No such file"), spooled(member()):
        raise AssertionError


def test_a_full_disk_is_named(folder: Path) -> None:
    def full() -> bytes:
        raise OSError(28, "No space left on device")

    broken = Member("layer.tar", 512, 10, b"", iter(full, b""))
    with pytest.raises(ArchiveUnusable, match="No space left on device"), spooled(broken):
        raise AssertionError
    assert list(folder.iterdir()) == []
