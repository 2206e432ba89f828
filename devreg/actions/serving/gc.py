"""Collect the registry's garbage: blobs that no manifest needs, and uploads that nobody goes on with.

The registry's own collector tells which blobs no manifest needs. A push uploads its blobs first and its manifest last,
so some of these are needed in a moment. What is deleted is what no push can rely on: it came before the grace period,
was neither uploaded again nor mounted since (its links are old), and no client was told since that it is there (nginx's
log). Meanwhile uploads, mounts and such questions are asked to wait; manifests may come, since what they need is safe.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from devreg.actions.serving.running_server import Running
from devreg.actions.serving.server_lock import server_locked
from devreg.actions.serving.server_runtime import Server
from devreg.model.events import Listener, Step
from devreg.model.results import Collected, Upload
from devreg.server import storage
from devreg.server.storage import Blob

# With less, a push may be longer than the grace period: then its manifest waits too.
_SHORT = timedelta(minutes=10)
_LOOK_SECONDS = "600"


def collect(present: Server, grace: timedelta, *, dry_run: bool, wait: float, listener: Listener) -> Collected:
    """Delete what no push has relied on for `grace`. `wait`: seconds that requests under way are given to end.

    Raises ServerError, also when they do not end; nothing is deleted then.
    """
    with server_locked():
        server = present.running()
        if dry_run:
            doomed, kept, stale = _garbage(server, grace, listener)
            return _told(doomed, kept, stale, dry_run=True, paused=0)
        listener(Step("waiting for requests of pushes to end; new ones wait until this is done"))
        began = time.monotonic()
        with server.paused(storage.PAUSE_WRITES if grace < _SHORT else storage.PAUSE_UPLOADS, wait):
            doomed, kept, stale = _garbage(server, grace, listener)
            listener(Step(f"deleting {len(doomed)} blobs and {len(stale)} uploads"))
            _delete(server, doomed, stale)
        return _told(doomed, kept, stale, dry_run=False, paused=round(time.monotonic() - began, 1))


def _garbage(server: Running, grace: timedelta, listener: Listener) -> tuple[list[Blob], list[Blob], list[Upload]]:
    """The blobs to delete, those that no manifest needs but that stay, and the uploads to delete."""
    listener(Step("reading every manifest"))
    seconds = grace.total_seconds()
    names = storage.unneeded(server.lines(storage.UNNEEDED, doing="find what no manifest needs"))
    found = storage.blobs(server.lines(storage.BLOBS, server.listed(names), doing="look at blobs")) if names else ()
    safe = set(_relied_on(server, grace)) if found else set()
    kept = [blob for blob in found if blob.age <= seconds or blob.hex in safe]
    staying = {blob.hex for blob in kept}
    uploads = storage.uploads(server.lines(storage.UPLOADS, _LOOK_SECONDS, storage.ANY, doing="look for uploads"))
    return (
        [blob for blob in found if blob.hex not in staying],
        kept,
        [upload for upload in uploads if upload.idle > seconds],
    )


def _relied_on(server: Running, grace: timedelta) -> Iterator[str]:
    """Blobs that a push may rely on, by their hexadecimal digits."""
    minutes = int(grace.total_seconds() // 60) + 1
    yield from server.lines(storage.LINKED, str(minutes), doing="look for what was linked lately")
    since = datetime.now(timezone.utc).replace(microsecond=0) - grace
    yield from storage.asked_for(server.asked(since), since)


def _delete(server: Running, blobs: list[Blob], uploads: list[Upload]) -> None:
    if blobs or uploads:
        first = server.listed(blob.hex for blob in blobs)
        second = server.listed(f"{upload.repository}/_uploads/{upload.id}" for upload in uploads)
        server.lines(storage.DELETE, first, second, doing="delete what nobody needs")


def _told(blobs: list[Blob], kept: list[Blob], uploads: list[Upload], *, dry_run: bool, paused: float) -> Collected:
    return Collected(
        dry_run=dry_run,
        blobs=len(blobs),
        uploads=len(uploads),
        freed=sum(blob.size for blob in blobs) + sum(upload.size for upload in uploads),
        kept=len(kept),
        kept_bytes=sum(blob.size for blob in kept),
        paused=paused,
    )
