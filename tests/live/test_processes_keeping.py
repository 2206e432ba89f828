"""What keeps a server of plain processes going: looked into, collected, backed up, restored, renewed."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest

from tests.live.conftest import USER, free_port
from tests.live.lab.devreg import Devreg
from tests.live.lab.killed_reload import killed_reload
from tests.live.lab.run import search_path
from tests.live.lab.wire import Wire, basic, digest_of
from tests.live.test_server_processes import OWNERS, Server, eventually, owner_of, started

DAY = 86400
BLOB = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module", params=OWNERS)
def owner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devreg]:
    user = owner_of(request.param, tmp_path_factory)
    yield user
    user("registry", "down", "--volumes", "--yes")


@pytest.fixture(scope="module")
def home_address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def up(owner: Devreg, home_address: str) -> Iterator[Server]:
    """A running server with nothing in it; the programs stay for the next."""
    server = started(owner, home_address)
    yield server
    for each in (server.folder / "data").iterdir():
        shutil.rmtree(each)


def grow_old(server: Server) -> None:
    """Everything there came a day ago."""
    for folder, _, files in os.walk(server.folder / "data/docker/registry/v2"):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            os.utime(path, (time.time() - DAY, time.time() - DAY))


def paused(server: Server) -> bool:
    return server.pusher("POST", "/v2/app/blobs/uploads/").status == 429


def until_paused(server: Server) -> None:
    assert eventually(lambda: paused(server), 30), "no pause"


def owners(folder: Path) -> set[int]:
    return {each.lstat().st_uid for each in folder.rglob("*")}


def test_what_is_in_it(up: Server) -> None:
    up.pusher.push("app", "1", b"layer" * 10_000)
    up.pusher.push("team/other", "1", b"layer")
    location = up.pusher.begin_upload("app")
    up.pusher("PATCH", location, BLOB, b"some of it")
    state = up.owner.ok("registry", "status", "--json").data
    assert state["repositories"] == 2
    assert state["used"] > 50_000
    assert state["free"] > 0
    assert [(each["repository"], each["size"]) for each in state["uploads"]] == [("app", 10)]


def test_what_was_deleted_is_freed_and_the_rest_stays(up: Server) -> None:
    up.pusher.push("app", "1", b"a" * 5000)
    gone = up.pusher.push("app", "2", b"b" * 7000)
    assert up.pusher("DELETE", f"/v2/app/manifests/{gone}").status == 202
    young = up.owner.ok("registry", "gc", "--dry-run", "--json").document
    assert (young["changed"], young["data"]["freed"], young["data"]["kept"]) == (False, 0, 2)
    grow_old(up)
    would = up.owner.ok("registry", "gc", "--dry-run", "--json").data
    assert would["blobs"] == 2
    assert would["freed"] > 7000
    # What was just asked for might be needed: the log knows.
    up.anybody("HEAD", f"/v2/app/blobs/{digest_of(b'b' * 7000)}")
    assert up.owner.ok("registry", "gc", "--json").data["kept"] == 1
    assert up.anybody("GET", f"/v2/app/blobs/{digest_of(b'b' * 7000)}").status == 200
    assert up.anybody.pulled("app", "1")
    assert up.owner.ok("registry", "gc", "--json").document["changed"] is False


def test_an_upload_under_way_is_waited_for_or_nothing_is_done(up: Server) -> None:
    location = up.pusher.begin_upload("app")

    def slowly() -> Iterator[bytes]:
        for _ in range(60):
            yield b"x" * 1000
            time.sleep(0.1)

    answers = []
    sending = Thread(target=lambda: answers.append(up.pusher("PATCH", location, BLOB, slowly())))
    sending.start()
    time.sleep(0.5)
    failed = up.owner.fails(30, "registry", "gc", "--wait", "1")
    assert "under way" in failed.stderr
    assert sending.is_alive()
    assert not paused(up)
    up.owner.ok("registry", "gc")
    assert not sending.is_alive()
    sending.join()
    assert answers[0].status == 202


def test_a_long_pull_is_not_waited_for(up: Server) -> None:
    up.pusher.push("app", "1", b"l" * 2**26)
    with closing(HTTPConnection(up.address, timeout=60)) as line:
        line.request("GET", f"/v2/app/blobs/{digest_of(b'l' * 2**26)}")
        answer = line.getresponse()
        assert answer.read(10) == b"l" * 10
        up.owner.ok("registry", "gc", "--wait", "5")
        assert len(answer.read()) == 2**26 - 10


def test_a_killed_worker_keeps_nobody_waiting(up: Server) -> None:
    location = up.pusher.begin_upload("app")

    def slowly() -> Iterator[bytes]:
        for _ in range(600):
            yield b"x" * 1000
            time.sleep(0.1)

    def send() -> None:
        with pytest.raises(OSError, match=r"pipe|reset"):
            up.pusher("PATCH", location, BLOB, slowly())

    sending = Thread(target=send)
    sending.start()
    time.sleep(1)
    for worker in up.processes()["worker"]:
        worker.kill()
    sending.join()
    assert eventually(up.answers)
    up.owner.ok("registry", "gc", "--wait", "5")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_pause_ends_with_the_run_whatever_ends_that(up: Server, number: int) -> None:
    up.pusher.push("app", "1", b"layer")
    run = up.owner.start("registry", "gc")
    until_paused(up)
    assert up.anybody("GET", "/v2/app/tags/list").status == 200
    os.kill(run.pid, number)
    run.communicate()
    assert eventually(lambda: not paused(up), 10)
    up.owner.ok("registry", "gc")


def test_a_pause_that_the_machine_has_ended_is_over(up: Server) -> None:
    up.owner.ok("registry", "down")
    (up.folder / "run/registry/pause.writes").touch()
    up.owner.ok("registry", "up")
    assert up.pusher("POST", "/v2/app/blobs/uploads/").status == 202


def test_a_backup_restores_images_tags_and_users(up: Server) -> None:
    file = up.owner.folder / "backup.tar"
    first, second = up.pusher.push("team/app", "1", b"a" * 100_000), up.pusher.push("other", "x", b"b")
    before = owners(up.folder / "data")
    up.owner.ok("registry", "user", "add", "second", "--password-stdin", input="pa55word\n")
    made = up.owner.ok("registry", "backup", str(file), "--json").data
    assert (made["repositories"], made["tags"], made["manifests"], made["missing"]) == (2, 2, 2, [])
    assert file.stat().st_mode & 0o777 == 0o600
    up.owner.ok("registry", "user", "remove", "second")
    up.owner.fails(24, "registry", "restore", str(file))
    new = up.pusher.push("new", "1", b"new")
    whole = file.read_bytes()
    bad = file.with_name("bad.tar")
    for damaged in (whole[:-20_000], whole.replace(b"a" * 100, b"A" * 100, 1)):
        bad.write_bytes(damaged)
        bad.chmod(0o644)
        up.owner.fails(23, "registry", "restore", str(bad), "--replace")
        assert up.anybody.pulled("new", "1") == new
    again = up.owner.ok("registry", "restore", str(file), "--replace", "--json").document
    assert (again["changed"], again["data"]) == (True, made)
    assert (up.anybody.pulled("team/app", "1"), up.anybody.pulled("other", "x")) == (first, second)
    assert up.anybody("GET", "/v2/new/tags/list").status == 404
    assert up.owner.ok("registry", "user", "list").stdout.split() == sorted([USER, "second"])
    assert owners(up.folder / "data") == before
    assert [each.name for each in (up.folder / "data").iterdir()] == ["docker"]
    assert up.pusher.push("other", "new", b"e")
    up.owner.ok("registry", "user", "remove", "second")


def test_upgrade_runs_newer_packages_or_the_old_ones_again(up: Server) -> None:
    pushed = up.pusher.push("app", "1", b"layer")
    programs = up.folder.parent / "programs"
    same = up.owner.ok("registry", "upgrade", "--json").document
    assert same["changed"] is False
    (role,) = [each["role"] for each in same["data"]["containers"]]
    assert role == "registry", "nginx is installed where the live tests run"
    binary = programs / "usr/bin/docker-registry"
    up.owner.ok("registry", "down")
    with binary.open("ab") as stream:
        stream.write(b"an older one")
    up.owner.ok("registry", "up")
    location = up.pusher.begin_upload("app")
    half = up.pusher("PATCH", location, BLOB, b"first ")
    done = up.owner.ok("registry", "upgrade", "--json").document
    (changed,) = done["data"]["containers"]
    assert done["changed"] is True
    assert changed["id_before"] != changed["id"] == same["data"]["containers"][0]["id"]
    assert up.anybody.pulled("app", "1") == pushed
    goes_on = half.one("Location").removeprefix(f"http://{up.address}")
    assert up.pusher("PATCH", goes_on, BLOB, b"second").status == 202
    assert not list(programs.parent.glob("programs.*"))
    refused = up.owner.fails(2, "registry", "upgrade", "--registry-image", "registry:3")
    assert "containers" in refused.stderr


def test_rules_that_a_killed_devreg_has_not_put_in_force_are_by_the_next(up: Server) -> None:
    up.owner.ok("registry", "user", "add", "member", "--push", "team/*", "--password-stdin", input="pa55word")
    member = Wire(up.address, basic("member", "pa55word"))
    dying = killed_reload(up.owner.folder / "dying")
    assert up.owner("registry", "user", "rules", "member", "app", env=dying).code == -signal.SIGKILL
    assert "app" in (up.folder / "users/push-rules.conf").read_text()
    assert member("POST", "/v2/team/x/blobs/uploads/").status == 202, "nginx goes by the old rules"
    assert up.owner.ok("registry", "up", "--json").document["changed"] is True
    assert [member("POST", f"/v2/{name}/blobs/uploads/").status for name in ("team/x", "app")] == [403, 202]
    assert up.owner.ok("registry", "up", "--json").document["changed"] is False
    up.owner.ok("registry", "user", "remove", "member")


# Unpacks as the real one does, but that its registry ends as soon as it is started.
BROKEN = """#!/bin/sh
/usr/bin/dpkg-deb "$@" || exit
file="$3/usr/bin/docker-registry"
[ "$1" = --extract ] && [ -e "$file" ] && printf '#!/bin/sh\\necho a broken release >&2\\nexit 1\\n' > "$file"
exit 0
"""


def test_packages_that_do_not_work_give_the_old_ones_back(up: Server) -> None:
    pushed = up.pusher.push("app", "1", b"layer")
    folder = up.owner.folder / "bin"
    folder.mkdir()
    (folder / "dpkg-deb").write_text(BROKEN)
    (folder / "dpkg-deb").chmod(0o755)
    before = digest_of((up.folder.parent / "programs/usr/bin/docker-registry").read_bytes())
    failed = up.owner.fails(30, "registry", "upgrade", env={"PATH": f"{folder}:{search_path()}"})
    assert "registry does not stay up: a broken release" in failed.stderr
    assert digest_of((up.folder.parent / "programs/usr/bin/docker-registry").read_bytes()) == before
    assert not list(up.folder.parent.glob("programs.*"))
    assert up.anybody.pulled("app", "1") == pushed
    assert up.owner.ok("registry", "up", "--json").document["changed"] is False
    assert up.pusher("POST", "/v2/app/blobs/uploads/").status == 202
