"""Backups of a real server: taken during pushes, damaged, cut off, restored into an empty server and a full one."""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from threading import Event, Thread

from tests.live.conftest import PASSWORD, USER, Server, start_server
from tests.live.lab.devreg import Devreg
from tests.live.lab.wire import MANIFEST


def empty(root: Devreg, server: Server) -> None:
    root.ok("registry", "down", "--volumes", "--yes")
    start_server(root, server.address)


def test_a_backup_restores_images_tags_and_users(up: Server, root: Devreg, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    first, second = up.pusher.push("team/app", "1", b"a" * 100_000), up.pusher.push("other", "x", b"b")
    untagged = up.pusher.push("other", "moved", b"c")
    up.pusher.push("other", "moved", b"d")
    root.ok("registry", "user", "add", "second", "--password-stdin", input="pa55word\n")
    made = root.ok("registry", "backup", str(file), "--json").data
    assert (made["repositories"], made["tags"], made["manifests"], made["missing"]) == (2, 3, 4, [])
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob(".backup*")) == []
    empty(root, up)
    again = root.ok("registry", "restore", str(file), "--json").document
    assert again["changed"] is True
    assert again["data"] == made
    assert (up.anybody.pulled("team/app", "1"), up.anybody.pulled("other", "x")) == (first, second)
    assert up.anybody("GET", f"/v2/other/manifests/{untagged}", {"Accept": MANIFEST}).status == 200
    assert root.ok("registry", "user", "list").stdout.split() == [USER, "second"]
    assert up.pusher.push("other", "new", b"e")
    assert up.anybody.pulled("other", "new")


def test_a_full_server_is_refused_unless_told_and_a_bad_backup_changes_nothing(
    up: Server, root: Devreg, tmp_path: Path
) -> None:
    file, bad = tmp_path / "backup.tar", tmp_path / "bad.tar"
    up.pusher.push("old", "1", b"old" * 1000)
    root.ok("registry", "backup", str(file))
    new = up.pusher.push("new", "1", b"new")
    root.fails(24, "registry", "restore", str(file))
    whole = file.read_bytes()
    at = whole.index(b"oldoldold")
    for damaged, fault in (
        (whole[:at] + b"OLD" + whole[at + 3 :], "other content"),
        (whole[: at + 1000], "cut off"),
        (whole[:3000], "cut off"),
        (b"no tar at all" * 100, "no tar"),
        (b"", "no tar"),
    ):
        bad.write_bytes(damaged)
        failed = root.fails(23, "registry", "restore", str(bad), "--replace")
        assert fault in failed.stderr or "not in it" in failed.stderr or "belongs" in failed.stderr, failed.stderr
        assert up.anybody.pulled("new", "1") == new
    root.ok("registry", "restore", str(file), "--replace")
    assert up.anybody("GET", "/v2/new/tags/list").status == 404
    assert up.anybody.pulled("old", "1")
    volume = up.engine.root / "data/volumes/devreg_registry/_data"
    assert [each.name for each in volume.iterdir()] == ["docker"]


def test_an_empty_server(up: Server, root: Devreg, tmp_path: Path) -> None:
    """With the traces of a login: an upload that was begun and cancelled."""
    file = tmp_path / "backup.tar"
    root.ok("login", up.address, "-u", USER, "--password-stdin", input=f"{PASSWORD}\n")
    state = root.ok("registry", "status", "--json").data
    assert (state["repositories"], state["uploads"]) == (0, [])
    assert root.ok("registry", "gc", "--dry-run", "--json").data["blobs"] == 0
    assert root.ok("registry", "backup", str(file), "--json").data["tags"] == 0
    up.pusher.push("app", "1", b"later")
    root.ok("registry", "restore", str(file), "--replace")
    assert up.anybody("GET", "/v2/_catalog").document == {"repositories": []}
    up.pusher.push("app", "1", b"again")
    assert up.anybody.pulled("app", "1")


def test_a_backup_through_a_pipe(up: Server, root: Devreg) -> None:
    up.pusher.push("app", "1", b"layer")
    done = subprocess.run(root.command("registry", "backup", "-"), capture_output=True, check=True)
    assert b"every digest is right" in done.stderr
    empty(root, up)
    subprocess.run(root.command("registry", "restore", "-"), input=done.stdout, check=True)
    assert up.anybody.pulled("app", "1")


def test_every_backup_that_is_taken_during_pushes_is_whole(up: Server, root: Devreg, tmp_path: Path) -> None:
    stop, pushed = Event(), []

    def pushing(name: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            pushed.append(up.pusher.push(name, str(number), f"{name} {number}".encode() * 2000))

    pushers = [Thread(target=pushing, args=(name,)) for name in ("one", "two", "three")]
    for each in pushers:
        each.start()
    counts = []
    for number in range(3):
        made = root.ok("registry", "backup", str(tmp_path / f"{number}.tar"), "--json").data
        assert made["missing"] == []
        counts.append(made["tags"])
        _check(tmp_path / f"{number}.tar")
    stop.set()
    for each in pushers:
        each.join()
    assert len(pushed) > 20
    assert counts == sorted(counts)
    root.ok("registry", "restore", str(tmp_path / "2.tar"), "--replace")
    for name in ("one", "two", "three"):
        assert up.anybody.pulled(name, "1")


def _check(file: Path) -> None:
    with tarfile.open(file) as archive:
        index = json.loads(archive.extractfile("devreg-backup.json").read())  # type: ignore[union-attr]
        for each in index["repositories"].values():
            assert set(each["tags"].values()) <= set(each["manifests"])
        for digest in index["blobs"]:
            content = archive.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
            assert content
            assert hashlib.file_digest(content, "sha256").hexdigest() == digest.removeprefix("sha256:")  # type: ignore[arg-type]
