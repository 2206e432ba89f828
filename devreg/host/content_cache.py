"""Manifests and configs that were read before, by digest: whatever has the digest is right, wherever it came from."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from pathlib import Path

from devreg.host.cache_file import CacheFile, Change, Damaged
from devreg.model.body import Body
from devreg.model.wire import is_digest, same_digest

NAME = "contents.sqlite"
MAX_BYTES = 64 * 2**20
MAX_BODY = 4 * 2**20
_FORMAT = 1
_TOGETHER = (
    200  # bodies that are read or written at once: a look at the file costs more than a body, a change even more
)
_WAITING = 8 * 2**20  # bytes of them at most
_DAY = 86_400

# `size` stands before `content`, so that adding up the sizes reads no content.
_TABLES = """
CREATE TABLE IF NOT EXISTS bodies (digest TEXT PRIMARY KEY, media_type TEXT, size INTEGER, day INTEGER, content BLOB);
"""
_TRIM = """
DELETE FROM bodies WHERE rowid IN (
    SELECT rowid FROM (SELECT rowid, SUM(size) OVER (ORDER BY day DESC, rowid DESC) AS total FROM bodies)
    WHERE total > ?)
"""


class ContentCache:
    """The cache in a folder (the user's own cache folder by default).

    For several threads. What is put is written now and then, and at the end: close it; it is a context manager.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.file = CacheFile(NAME, _TABLES, _FORMAT, folder)
        self._new: dict[str, Body] = {}
        self._waiting = 0  # bytes of them
        self._used: set[str] = set()
        self._wrote = False
        self._lock = threading.Lock()

    def __enter__(self) -> ContentCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is new, drop what was not used for longest where there is too much, and let go of the file."""
        with self._lock:
            self._write()
            today = _today()
            changes: list[Change] = [
                *(("UPDATE bodies SET day = ? WHERE digest = ?", (today, digest)) for digest in tuple(self._used)),
                *([(_TRIM, (MAX_BYTES,))] if self._wrote else []),
            ]
            if changes:
                self.file.change(*changes)
            self.file.close()

    def get(self, digest: str) -> Body | None:
        """What has that digest, if it is known. It is compared with its digest: one that was changed is forgotten."""
        return self.get_all((digest,)).get(digest)

    def get_all(self, digests: Collection[str]) -> dict[str, Body]:
        """As `get`, by their digests those that are known: many at once take little longer than one."""
        found = {digest: new for digest in digests if (new := self._new.get(digest)) is not None}
        asked = [digest for digest in digests if digest not in found]
        for start in range(0, len(asked), _TOGETHER):
            for body, day in self._read(asked[start : start + _TOGETHER]):
                if not same_digest(body.content, body.digest):
                    self.file.change(("DELETE FROM bodies WHERE digest = ?", (body.digest,)))
                    continue
                if day != _today():
                    self._used.add(body.digest)
                found[body.digest] = body
        return found

    def _read(self, digests: Collection[str]) -> list[tuple[Body, int]]:
        """What the file has, each with the day on which it was last used."""
        places = ", ".join("?" * len(digests))
        query = f"SELECT digest, media_type, day, content FROM bodies WHERE digest IN ({places})"  # noqa: S608  # no value is in it
        return self.file.ask(_row, query, *digests)

    def put(self, body: Body) -> None:
        """Keep a body, unless it is too large or not proved by its digest, as signed schema 1 manifests are not."""
        if len(body.content) > MAX_BODY or not is_digest(body.digest) or not same_digest(body.content, body.digest):
            return
        with self._lock:
            self._new[body.digest] = body
            self._waiting += len(body.content)
            if len(self._new) >= _TOGETHER or self._waiting >= _WAITING:
                self._write()

    def _write(self) -> None:
        today, new = _today(), self._new
        if not new:
            return
        self.file.change(
            *(
                (
                    "INSERT OR REPLACE INTO bodies VALUES (?, ?, ?, ?, ?)",
                    (body.digest, body.media_type, len(body.content), today, body.content),
                )
                for body in new.values()
            )
        )
        self._new, self._waiting, self._wrote = {}, 0, True


def _today() -> int:
    return int(time.time()) // _DAY


def _row(digest: object, media_type: object, day: object, content: object) -> tuple[Body, int]:
    if not (isinstance(digest, str) and isinstance(media_type, str)):
        raise Damaged
    if not (isinstance(day, int) and isinstance(content, bytes)):
        raise Damaged
    return Body(content, media_type, digest), day
