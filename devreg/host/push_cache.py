"""What earlier pushes have learned, so that the next asks and sends less: a small database in the user's cache folder.

It never fails a push and never holds one up: where the file is damaged it is made anew, and where it cannot be used
(locked for long, unwritable, of a newer devreg, no SQLite here) nothing is known and nothing is kept.

Several devreg may use it at once. The journal is SQLite's rollback journal, not its write-ahead log, which needs memory
shared by all processes and so does not work on NFS. Nothing waits for the disk: after a power failure the file may be
damaged, and a damaged cache costs one slower push. URLs of uploads may carry a token of the registry's: mode 0600.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from devreg.host.files import make_private_folder
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable
from devreg.model.manifest import Descriptor
from devreg.model.wire import is_digest

if TYPE_CHECKING:
    import sqlite3
    from sqlite3 import Connection

_NAME = "pushes.sqlite"
_FORMAT = 1
_SQLITE_ERROR = 1  # the code of mistakes in a statement, not of a file that is locked, full or read-only
_BUSY_SECONDS = 1.0  # a change takes a few milliseconds: who waits longer waits for one that hangs
_PLACES = 5
_ROWS = 20_000  # of each table
_DAY = 86_400.0
_UPLOAD_SECONDS = 7 * _DAY
_SECONDS = 182 * _DAY

# A row that is written again gets the highest rowid of its table: the order of rowids is the order of news.
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS blobs (
    diff_id TEXT, digest TEXT, media_type TEXT, size INTEGER, seen REAL, PRIMARY KEY (diff_id, digest));
CREATE TABLE IF NOT EXISTS places (
    registry TEXT, digest TEXT, repository TEXT, seen REAL, PRIMARY KEY (registry, digest, repository));
CREATE TABLE IF NOT EXISTS uploads (
    registry TEXT, repository TEXT, key TEXT, url TEXT, seen REAL, PRIMARY KEY (registry, repository, key));
CREATE TABLE IF NOT EXISTS manifests (
    registry TEXT, repository TEXT, image_id TEXT, digest TEXT, seen REAL,
    PRIMARY KEY (registry, repository, image_id));
PRAGMA user_version = {_FORMAT};
COMMIT;
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

_Change = tuple[str, tuple[object, ...]]
_Result = TypeVar("_Result")


class _Damaged(Exception):
    """Something in the file is not what was written there."""


class PushCache:
    """The cache in a folder (the user's own cache folder by default), opened when it is first used.

    For several threads. Close it at the end; it is a context manager.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._connection: Connection | None = None
        self._usable = True
        self._lock = threading.Lock()

    def __enter__(self) -> PushCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. From here on nothing is known."""
        with self._lock:
            self._give_up()

    def blobs(self, diff_id: str) -> tuple[Descriptor, ...]:
        """The blobs that a layer is known to have become, by whatever compressor, newest first."""
        query = "SELECT media_type, digest, size FROM blobs WHERE diff_id = ? ORDER BY rowid DESC"
        return tuple(self._ask(_descriptor, query, diff_id))

    def repositories(self, registry: Address, digest: str) -> tuple[str, ...]:
        """The repositories of that registry where a blob has been seen, newest first, at most five."""
        query = "SELECT repository FROM places WHERE registry = ? AND digest = ? ORDER BY rowid DESC LIMIT ?"
        return tuple(self._ask(str, query, str(registry), digest, _PLACES))

    def learn(self, registry: Address, repository: str, seen: Iterable[tuple[str | None, Descriptor]]) -> None:
        """Blobs that are in that repository now, each with the diffID of its layer; all of them or none.

        A diffID belongs to its blob in every registry: give None where only a registry's word says which it is.
        """
        now = time.time()
        changes: list[_Change] = []
        for diff_id, blob in seen:
            place = (str(registry), blob.digest, repository, now)
            changes.append(("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?)", place))
            if diff_id is not None:
                layer = (diff_id, blob.digest, blob.media_type, blob.size, now)
                changes.append(("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?)", layer))
        self._change(*changes, *_tidying(now))

    def forget(self, registry: Address, repository: str, digest: str) -> None:
        """A blob that was thought to be in that repository is not."""
        values = (str(registry), repository, digest)
        self._change(("DELETE FROM places WHERE registry = ? AND repository = ? AND digest = ?", values))

    def open_upload(self, registry: Address, repository: str, key: str) -> str | None:
        """The URL of an upload that was begun within the last week and not ended. `key` says of what."""
        query = "SELECT url FROM uploads WHERE registry = ? AND repository = ? AND key = ? AND seen > ?"
        return self._one(query, str(registry), repository, key, time.time() - _UPLOAD_SECONDS)

    def keep_upload(self, registry: Address, repository: str, key: str, url: str) -> None:
        """An upload is under way at that URL."""
        values = (str(registry), repository, key, url, time.time())
        self._change(("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?)", values))

    def end_upload(self, registry: Address, repository: str, key: str) -> None:
        """An upload is over, one way or the other."""
        values = (str(registry), repository, key)
        self._change(("DELETE FROM uploads WHERE registry = ? AND repository = ? AND key = ?", values))

    def manifest(self, registry: Address, repository: str, image_id: str) -> str | None:
        """The digest of the manifest that an image became in that repository when it was last pushed there."""
        query = "SELECT digest FROM manifests WHERE registry = ? AND repository = ? AND image_id = ?"
        return self._one(query, str(registry), repository, image_id)

    def learn_manifest(self, registry: Address, repository: str, image_id: str, digest: str) -> None:
        """An image became that manifest in that repository."""
        values = (str(registry), repository, image_id, digest, time.time())
        self._change(("INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?, ?)", values))

    def _one(self, query: str, *values: object) -> str | None:
        return next(iter(self._ask(str, query, *values)), None)

    def _ask(self, make: Callable[..., _Result], query: str, *values: object) -> list[_Result]:
        return self._attempt(lambda connection: [make(*row) for row in connection.execute(query, values)], [])

    def _change(self, *changes: _Change) -> None:
        def make(connection: Connection) -> None:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                for statement, values in changes:
                    connection.execute(statement, values)

        self._attempt(make, None)

    def _attempt(self, work: Callable[[Connection], _Result], nothing: _Result) -> _Result:
        """Do `work`, on a new file where the old one turns out to be damaged; `nothing` where there can be no file."""
        with self._lock:
            if not self._usable:
                return nothing
            try:
                import sqlite3
            except ImportError:  # an interpreter may be built without it
                self._give_up()
                return nothing
            for _ in range(2):
                try:
                    self._connection = self._connection or _opened(self._file())
                    return work(self._connection)
                except (sqlite3.NotSupportedError, ConfigUnusable, OSError):
                    break
                except sqlite3.OperationalError as error:
                    if not _has_other_tables(error):
                        break
                    self._remove()
                except (sqlite3.DatabaseError, UnicodeDecodeError, _Damaged):
                    self._remove()
            self._give_up()
            return nothing

    def _file(self) -> Path:
        import platformdirs

        folder = self._folder or Path(platformdirs.user_cache_dir("devreg", appauthor=False))
        if not folder.is_absolute():
            raise FileNotFoundError(f"no home folder: {folder}")
        return folder / _NAME

    def _remove(self) -> None:
        self._close()
        for name in (f"{_NAME}-journal", _NAME):
            with suppress(OSError):
                (self._file().parent / name).unlink()

    def _give_up(self) -> None:
        self._usable = False
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _opened(path: Path) -> Connection:
    """The database at `path`, made if there is none. Raises sqlite3.Error, ConfigUnusable or OSError."""
    import sqlite3

    make_private_folder(path.parent)
    with suppress(FileExistsError):  # SQLite would make it readable by all; its journals get the mode of the file
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    path.chmod(0o600)
    with ExitStack() as stack:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        stack.callback(connection.close)
        connection.text_factory = bytes.decode  # raises UnicodeDecodeError; SQLite's own error has no class
        connection.execute("PRAGMA synchronous = OFF")
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        if number > _FORMAT:
            raise sqlite3.NotSupportedError(f"format {number} is of a newer devreg")
        if number < _FORMAT:
            connection.executescript(_SCHEMA)
        stack.pop_all()
    return connection


def _has_other_tables(error: sqlite3.OperationalError) -> bool:
    """Whether a statement does not fit the file, which is damage. Python 3.10 does not tell it from other reasons."""
    return getattr(error, "sqlite_errorcode", None) == _SQLITE_ERROR


def _tidying(now: float) -> Iterator[_Change]:
    for statement, seconds in _OLD_AGE:
        yield statement, (now - seconds,)
    for statement in _TOO_MANY:
        yield statement, (_ROWS,)


def _descriptor(media_type: object, digest: object, size: object) -> Descriptor:
    if not (isinstance(digest, str) and is_digest(digest) and isinstance(size, int)):
        raise _Damaged
    return Descriptor(str(media_type), digest, size)
