"""Work in the background: begun once in a while, an orphan without a terminal, and never a reason to fail."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

import pytest

from devreg.host import detached

SECONDS = 30
PROGRAM = """
import json, os, pathlib, sys, time
seen = {"words": sys.argv[1:], "session": os.getsid(0), "parent": os.getppid(), "folder": os.getcwd()}
seen["asking"] = [name for name in ("DISPLAY", "SSH_ASKPASS") if name in os.environ]
seen["streams"] = [os.readlink(f"/proc/self/fd/{each}") for each in range(3)]
pathlib.Path(sys.argv[1]).write_text(json.dumps(seen))
while not pathlib.Path(sys.argv[1] + ".end").exists():
    time.sleep(0.01)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "background_work.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "background_work"


def wait_for(path: Path) -> dict[str, object]:
    latest = time.monotonic() + SECONDS
    while time.monotonic() < latest:
        try:
            found = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            time.sleep(0.01)
        else:
            assert isinstance(found, dict)
            return found
    raise AssertionError("it was never begun")


def wait_for_the_end(folder: Path) -> None:
    """Wait until nothing is under way: what is holds its stamp."""
    for stamp in folder.iterdir():
        with stamp.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)


def test_it_is_an_orphan_that_nobody_can_be_asked_by(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    told = tmp_path / "a name; with $(shell) 'signs'"
    assert detached.begin(module, [str(told)], every=60, folder=tmp_path / "cache")
    seen = wait_for(told)
    (tmp_path / f"{told.name}.end").touch()
    assert seen["words"] == [str(told)]
    assert seen["session"] != os.getsid(0)
    assert seen["parent"] != os.getpid()
    assert seen["folder"] == "/"
    assert seen["asking"] == []
    assert seen["streams"] == ["/dev/null"] * 3


def test_the_same_is_not_begun_twice_and_not_again_too_soon(module: str, tmp_path: Path) -> None:
    folder, words, other = tmp_path / "cache", [str(tmp_path / "told")], [str(tmp_path / "other")]
    assert detached.begin(module, words, every=60, folder=folder)
    wait_for(tmp_path / "told")
    assert not detached.begin(module, words, every=0, folder=folder), "it is under way"
    assert detached.begin(module, other, every=60, folder=folder)
    for each in ("told.end", "other.end"):
        (tmp_path / each).touch()
    wait_for_the_end(folder)
    assert not detached.begin(module, words, every=60, folder=folder)
    assert detached.begin(module, words, every=0, folder=folder)
    wait_for_the_end(folder)


@pytest.mark.parametrize("obstacle", ["a file", "a link"])
def test_where_nothing_can_be_noted_nothing_is_begun(obstacle: str, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    if obstacle == "a file":
        folder.touch()
    else:
        words = ["x"]
        assert detached.begin("nothing_of_that_name", words, every=0, folder=folder)
        (stamp,) = folder.iterdir()
        stamp.unlink()
        stamp.symlink_to(tmp_path / "elsewhere")
    assert not detached.begin("nothing_of_that_name", ["x"], every=0, folder=folder)
    assert not (tmp_path / "elsewhere").exists()


def test_no_home_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: "~/.cache/devreg")
    assert not detached.begin("nothing_of_that_name", [], every=0)
    assert list(tmp_path.iterdir()) == []
