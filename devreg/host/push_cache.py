"""What earlier pushes have learned, so that the next asks and sends less."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from devreg.host.cache_file import CacheFile, Change, Damaged
from devreg.model.address import Address
from devreg.model.manifest import Descriptor
from devreg.model.wire import is_digest

NAME = "pushes.sqlite"
_FORMAT = 1
_PLACES = 5
_ROWS = 20_000  # of each table
_DAY = 86_400.0
_UPLOAD_SECONDS = 7 * _DAY
_SECONDS = 182 * _DAY

# A row that is written again gets the highest rowid of its table: the order of rowids is the order of news.
_TABLES = """
CREATE TABLE IF NOT EXISTS blobs (
    diff_id TEXT, digest TEXT, media_type TEXT, size INTEGER, seen REAL, PRIMARY KEY (diff_id, digest));
CREATE TABLE IF NOT EXISTS places (
    registry TEXT, digest TEXT, repository TEXT, seen REAL, PRIMARY KEY (registry, digest, repository));
CREATE TABLE IF NOT EXISTS uploads (
    registry TEXT, repository TEXT, key TEXT, url TEXT, seen REAL, PRIMARY KEY (registry, repository, key));
CREATE TABLE IF NOT EXISTS manifests (
    registry TEXT, repository TEXT, image_id TEXT, digest TEXT, seen REAL,
    PRIMARY KEY (registry, repository, image_id));
"""
_OLD_AGE = (
    ("DELETE FROM blobs WHERE seen < ?", _SECONDS),
    ("DELETE FROM places WHERE seen < ?", _SECONDS),
    ("DELETE FROM uploads WHERE seen < ?", _UPLOAD_SECONDS),
    ("DELETE FROM manifests WHERE seen < ?", _SECONDS),
)
_TOO_MANY = (
    "DELETE FROM blobs WHERE rowid <= (SELECT rowid FROM blobs ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
    "DELETE FROM places WHERE rowid <= (SELECT rowid FROM places ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
    "DELETE FROM uploads WHERE rowid <= (SELECT rowid FROM uploads ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
    "DELETE FROM manifests WHERE rowid <= (SELECT rowid FROM manifests ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
)


class PushCache:
    """The cache in a folder (the user's own cache folder by default), opened when it is first used.

    For several threads. Close it at the end; it is a context manager.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.file = CacheFile(NAME, _TABLES, _FORMAT, folder)

    def __enter__(self) -> PushCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. From here on nothing is known."""
        self.file.close()

    def blobs(self, diff_id: str) -> tuple[Descriptor, ...]:
        """The blobs that a layer is known to have become, by whatever compressor, newest first."""
        query = "SELECT media_type, digest, size FROM blobs WHERE diff_id = ? ORDER BY rowid DESC"
        return tuple(self.file.ask(_descriptor, query, diff_id))

    def repositories(self, registry: Address, digest: str) -> tuple[str, ...]:
        """The repositories of that registry where a blob has been seen, newest first, at most five."""
        query = "SELECT repository FROM places WHERE registry = ? AND digest = ? ORDER BY rowid DESC LIMIT ?"
        return tuple(self.file.ask(str, query, str(registry), digest, _PLACES))

    def learn(self, registry: Address, repository: str, seen: Iterable[tuple[str | None, Descriptor]]) -> None:
        """Blobs that are in that repository now, each with the diffID of its layer; all of them or none.

        A diffID belongs to its blob in every registry: give None where only a registry's word says which it is.
        """
        now = time.time()
        changes: list[Change] = []
        for diff_id, blob in seen:
            place = (str(registry), blob.digest, repository, now)
            changes.append(("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?)", place))
            if diff_id is not None:
                layer = (diff_id, blob.digest, blob.media_type, blob.size, now)
                changes.append(("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?)", layer))
        self.file.change(*changes, *_tidying(now))

    def forget(self, registry: Address, repository: str, digest: str) -> None:
        """A blob that was thought to be in that repository is not."""
        values = (str(registry), repository, digest)
        self.file.change(("DELETE FROM places WHERE registry = ? AND repository = ? AND digest = ?", values))

    def open_upload(self, registry: Address, repository: str, key: str) -> str | None:
        """The URL of an upload that was begun within the last week and not ended. `key` says of what.

        It may carry a token of the registry's.
        """
        query = "SELECT url FROM uploads WHERE registry = ? AND repository = ? AND key = ? AND seen > ?"
        return self._one(query, str(registry), repository, key, time.time() - _UPLOAD_SECONDS)

    def keep_upload(self, registry: Address, repository: str, key: str, url: str) -> None:
        """An upload is under way at that URL."""
        values = (str(registry), repository, key, url, time.time())
        self.file.change(("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?)", values))

    def end_upload(self, registry: Address, repository: str, key: str) -> None:
        """An upload is over, one way or the other."""
        values = (str(registry), repository, key)
        self.file.change(("DELETE FROM uploads WHERE registry = ? AND repository = ? AND key = ?", values))

    def manifest(self, registry: Address, repository: str, image_id: str) -> str | None:
        """The digest of the manifest that an image became in that repository when it was last pushed there."""
        query = "SELECT digest FROM manifests WHERE registry = ? AND repository = ? AND image_id = ?"
        return self._one(query, str(registry), repository, image_id)

    def learn_manifest(self, registry: Address, repository: str, image_id: str, digest: str) -> None:
        """An image became that manifest in that repository."""
        values = (str(registry), repository, image_id, digest, time.time())
        self.file.change(("INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?, ?)", values))

    def _one(self, query: str, *values: object) -> str | None:
        return next(iter(self.file.ask(str, query, *values)), None)


def _tidying(now: float) -> Iterator[Change]:
    for statement, seconds in _OLD_AGE:
        yield statement, (now - seconds,)
    for statement in _TOO_MANY:
        yield statement, (_ROWS,)


def _descriptor(media_type: object, digest: object, size: object) -> Descriptor:
    if not (isinstance(digest, str) and is_digest(digest) and isinstance(size, int)):
        raise Damaged
    return Descriptor(str(media_type), digest, size)
