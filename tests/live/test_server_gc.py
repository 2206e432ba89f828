"""Garbage collection on a real server: what it frees, and what a push in flight finds after it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.live.conftest import Server
from tests.live.lab.devreg import Devreg
from tests.live.lab.wire import LAYER, digest_of

DAY = 86400


def data(server: Server) -> Path:
    return server.engine.root / "data/volumes/devreg_registry/_data/docker/registry/v2"


def grow_old(server: Server) -> None:
    """Everything there came a day ago."""
    for folder, _, files in os.walk(data(server)):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            os.utime(path, (time.time() - DAY, time.time() - DAY))


def push(server: Server, tag: str, layer: bytes) -> str:
    return server.pusher.put_manifest("app", tag, server.pusher.image("app", f"2024-01-0{tag}T00:00:00Z", [layer]))


def test_what_was_deleted_is_freed_and_the_rest_stays(up: Server, root: Devreg) -> None:
    push(up, "1", b"a" * 5000)
    gone = push(up, "2", b"b" * 7000)
    assert up.pusher("DELETE", f"/v2/app/manifests/{gone}").status == 202
    young = root.ok("registry", "gc", "--dry-run", "--json").document
    assert (young["changed"], young["data"]["freed"], young["data"]["kept"]) == (False, 0, 3)
    grow_old(up)
    would = root.ok("registry", "gc", "--dry-run", "--json").data
    assert would["blobs"] == 3
    assert would["freed"] > 7000
    assert up.anybody("GET", f"/v2/app/blobs/{digest_of(b'b' * 7000)}").status == 200
    # What was just asked for might be needed: the log knows.
    assert root.ok("registry", "gc", "--json").data["kept"] == 1
    time.sleep(61)
    assert root.ok("registry", "gc", "--older-than", "1m", "--json").data["blobs"] == 1
    assert up.anybody("GET", f"/v2/app/blobs/{digest_of(b'b' * 7000)}").status == 404
    assert up.anybody("GET", f"/v2/app/blobs/{digest_of(b'a' * 5000)}").body == b"a" * 5000
    assert root.ok("registry", "gc", "--json").document["changed"] is False


def test_a_push_that_began_before_ends_well_after(up: Server, root: Devreg) -> None:
    up.pusher.put_blob("app", b"old and unneeded")
    up.pusher.put_blob("app", b"old and uploaded again")
    up.pusher.put_blob("other", b"old and mounted")
    forgotten = up.pusher.put_blob("app", b"forgotten")["digest"]
    begun = up.pusher.begin_upload("app")
    up.pusher("PATCH", begun, {"Content-Type": "application/octet-stream"}, b"some of it")
    grow_old(up)
    # All three ways of finding a layer there, a new layer and the configuration; then a collection; then the manifest.
    assert up.pusher("HEAD", f"/v2/app/blobs/{digest_of(b'old and unneeded')}").status == 200
    up.pusher.put_blob("app", b"old and uploaded again")
    mount = f"/v2/app/blobs/uploads/?mount={digest_of(b'old and mounted')}&from=other"
    assert up.pusher("POST", mount).status == 201
    layers = [b"old and uploaded again", b"new"]
    manifest = up.pusher.image("app", "2024-01-01T00:00:00Z", layers)
    for there in (b"old and unneeded", b"old and mounted"):
        entry = json.dumps({"mediaType": LAYER, "size": len(there), "digest": digest_of(there)})
        manifest = manifest.replace(b'"layers": [', b'"layers": [' + entry.encode() + b",")
    done = root.ok("registry", "gc", "--json").data
    assert (done["blobs"], done["uploads"]) == (1, 1)
    up.pusher.put_manifest("app", "1", manifest)
    for content in (*layers, b"old and unneeded", b"old and mounted"):
        assert up.anybody("GET", f"/v2/app/blobs/{digest_of(content)}").body == content
    assert up.anybody("HEAD", f"/v2/app/blobs/{forgotten}").status == 404


def started(root: Devreg, *words: str) -> subprocess.Popen[str]:
    return root.start("registry", "gc", *words)


def paused(server: Server) -> bool:
    return server.pusher("POST", "/v2/app/blobs/uploads/").status == 429


def until_paused(server: Server) -> None:
    deadline = time.monotonic() + 30
    while not paused(server):
        assert time.monotonic() < deadline, "no pause"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_pause_ends_with_the_run_whatever_ends_that(up: Server, root: Devreg, number: int) -> None:
    push(up, "1", b"layer")
    run = started(root)
    until_paused(up)
    assert up.anybody("GET", "/v2/app/tags/list").status == 200
    again = up.pusher("POST", "/v2/app/blobs/uploads/")
    assert again.one("Retry-After") == "5"
    os.kill(run.pid, number)
    run.communicate()
    deadline = time.monotonic() + 10
    while paused(up):
        assert time.monotonic() < deadline, "still paused"
        time.sleep(0.1)
    root.ok("registry", "gc")


def test_an_upload_under_way_is_waited_for_or_nothing_is_done(up: Server, root: Devreg) -> None:
    location = up.pusher.begin_upload("app")

    def slowly() -> Iterator[bytes]:
        for _ in range(60):
            yield b"x" * 1000
            time.sleep(0.1)

    sending = Thread(
        target=lambda: up.pusher("PATCH", location, {"Content-Type": "application/octet-stream"}, slowly())
    )
    sending.start()
    time.sleep(0.5)
    failed = root.fails(30, "registry", "gc", "--wait", "1")
    assert "under way" in failed.stderr
    assert not paused(up)
    root.ok("registry", "gc")
    assert not sending.is_alive()
    sending.join()


def test_pushes_of_clients_wait(up: Server, root: Devreg) -> None:
    push(up, "1", b"layer")
    run = started(root)
    until_paused(up)
    pushed = Thread(target=push_slowly, args=(up,))
    pushed.start()
    run.communicate()
    assert run.returncode == 0
    pushed.join()
    assert "2" in up.anybody("GET", "/v2/app/tags/list").document["tags"]


def push_slowly(server: Server) -> None:
    while paused(server):
        time.sleep(0.2)
    push(server, "2", b"another layer")
