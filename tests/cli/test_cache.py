"""`devreg cache`: what listings and pushes leave behind, and how it goes."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import registry
from tests.cli.conftest import Run, Serve


@pytest.fixture
def folder(home: Path) -> Path:
    return home / "cache" / "devreg"


def test_nothing_is_kept_at_first(run: Run, folder: Path) -> None:
    outcome = run("cache", "info")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", f"nothing is kept in {folder}\n")
    assert run("cache", "clear").out == "forgot 0 entries, 0 B\n"
    assert not folder.exists()


def test_what_a_listing_leaves(run: Run, serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(registry.answer)
    run("tags", "team/app")
    found = run("cache", "info", "--json").data
    kept = {each["what"]: each for each in found["kept"]}
    assert found["folder"] == str(folder)
    assert kept["manifests and configs"]["entries"] == 2  # a manifest and its config; both tags have them
    assert kept["names for completion"]["entries"] == 2
    assert kept["manifests and configs"]["size"] == (folder / "contents.sqlite").stat().st_size
    lines = run("cache", "info").out.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["manifests and configs", "2"], ["names for completion", "2"]]
    assert [line.rpartition(" in ")[2] for line in lines] == [each["file"] for each in found["kept"]]
    monkeypatch.setattr("devreg.output.console.is_terminal", lambda: True)
    outcome = run("cache", "info")
    assert (str(folder) in outcome.out, outcome.err) == (False, f"all of it is kept in {folder}\n")
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_a_listing_asks_for_nothing_that_is_known(run: Run, serve: Serve) -> None:
    server = serve(registry.answer)
    first = run("tags", "team/app", "--json").data
    begun = len(server.asked)
    assert run("tags", "team/app", "--json").data == first
    methods = [asked.method for asked in server.asked[begun:] if "/manifests/" in asked.target]
    assert methods == ["HEAD", "HEAD"]
    assert not [asked for asked in server.asked[begun:] if "/blobs/" in asked.target]


def test_clearing(run: Run, serve: Serve) -> None:
    server = serve(registry.answer)
    run("tags", "team/app")
    document = run("cache", "clear", "--json").document
    assert (document["changed"], document["data"]["entries"]) == (True, 4)
    assert run("cache", "clear", "--json").document["changed"] is False
    assert [each["entries"] for each in run("cache", "info", "--json").data["kept"]] == [0, 0]
    begun = len(server.asked)
    run("tags", "team/app")
    assert any("/blobs/" in asked.target for asked in server.asked[begun:])


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_foreign_file_is_replaced(run: Run, serve: Serve, folder: Path, content: bytes) -> None:
    serve(registry.answer)
    folder.mkdir(parents=True)
    for name in ("contents.sqlite", "names.sqlite"):
        (folder / name).write_bytes(content)
    assert run("tags", "team/app").code == 0
    assert [each["entries"] for each in run("cache", "info", "--json").data["kept"]] == [2, 2]


def test_wrong_bytes_under_a_right_digest_are_read_anew(run: Run, serve: Serve, folder: Path) -> None:
    serve(registry.answer)
    first = run("tags", "team/app", "--json").data
    with sqlite3.connect(folder / "contents.sqlite") as database:
        assert database.execute("UPDATE bodies SET content = ?", (json.dumps({"layers": []}).encode(),)).rowcount == 2
    database.close()
    assert run("tags", "team/app", "--json").data == first


def test_without_a_home(run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(registry.answer)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: "~/.cache/devreg")
    assert run("tags", "team/app").code == 0
    assert run("cache", "info", "--json").data == {"folder": None, "kept": []}
    assert run("cache", "clear").code == 0


def test_what_is_no_file_is_neither_followed_nor_deleted(run: Run, serve: Serve, folder: Path, tmp_path: Path) -> None:
    serve(registry.answer)
    run("tags", "team/app")
    (folder / "contents.sqlite").rename(tmp_path / "elsewhere.sqlite")
    (folder / "contents.sqlite").symlink_to(tmp_path / "elsewhere.sqlite")
    (folder / "pushes.sqlite").mkdir()
    before = (tmp_path / "elsewhere.sqlite").read_bytes()
    assert run("tags", "team/app").code == 0
    assert {each["entries"] for each in run("cache", "info", "--json").data["kept"]} == {0, 2}
    cleared = run("cache", "clear", "--json")
    assert (cleared.code, cleared.document["errors"][0]["code"]) == (24, "refused-overwrite")
    assert (folder / "contents.sqlite").is_symlink()
    assert (folder / "pushes.sqlite").is_dir()
    assert (tmp_path / "elsewhere.sqlite").read_bytes() == before
    assert {each["entries"] for each in run("cache", "info", "--json").data["kept"]} == {0}


def test_one_of_a_newer_devreg_and_one_that_is_damaged_are_emptied(run: Run, serve: Serve, folder: Path) -> None:
    serve(registry.answer)
    run("tags", "team/app")
    (folder / "names.sqlite").write_bytes(b"SQLite format 3" + bytes(20_000))
    with sqlite3.connect(folder / "contents.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
        database.execute("INSERT INTO bodies (digest, content) VALUES ('x', ?)", (b"x" * 100_000,))
    database.close()
    assert run("cache", "clear", "--json").data["freed"] > 90_000
    assert (folder / "contents.sqlite").stat().st_size < 20_000
    assert b"x" * 1000 not in (folder / "contents.sqlite").read_bytes()
    assert run("tags", "team/app").code == 0


def test_one_that_another_holds_is_told(run: Run, serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(registry.answer)
    run("tags", "team/app")
    monkeypatch.setattr("devreg.host.cache_file._BUSY_SECONDS", 0.05)
    with sqlite3.connect(folder / "contents.sqlite", isolation_level=None) as raw:
        raw.execute("BEGIN IMMEDIATE")
        assert run("cache", "clear").code == 10
        raw.execute("ROLLBACK")
    raw.close()
    assert {each["what"]: each["entries"] for each in run("cache", "info", "--json").data["kept"]} == {
        "manifests and configs": 2,
        "names for completion": 0,
    }


def test_a_folder_that_nobody_can_make(run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even root."""
    serve(registry.answer)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")
    assert run("tags", "team/app").code == 0
    assert run("cache", "info", "--json").data == {"folder": "/proc/devreg", "kept": []}
    assert run("cache", "clear").code == 0


@pytest.fixture
def read_only(folder: Path) -> Iterator[Path]:
    """The cache's folder, in which nobody may write: for root that takes a file system of its own."""
    folder.mkdir(parents=True, mode=0o500)
    if os.geteuid() != 0:
        yield folder
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.usefixtures("read_only")
def test_a_folder_that_is_read_only(run: Run, serve: Serve) -> None:
    serve(registry.answer)
    assert run("tags", "team/app").code == 0
    assert run("cache", "info", "--json").data["kept"] == []
    assert run("cache", "clear").code == 0
