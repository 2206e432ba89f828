"""One small database in the user's cache folder, for what may be forgotten at any time.

It never fails a command and never holds one up: where the file is damaged it is made anew, and where it cannot be used
(locked for long, unwritable, of a newer devreg, no SQLite here, a link or a folder in its place) nothing is known and
nothing is kept.

Several devreg may use it at once. The journal is SQLite's rollback journal, not its write-ahead log, which needs memory
shared by all processes and so does not work on NFS. Nothing waits for the disk: after a power failure the file may be
damaged, and a damaged cache costs one slower command. Only its owner may read it: mode 0600.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from devreg.host.files import make_private_folder
from devreg.model.errors import ConfigUnusable, DevregError, RefusedOverwrite

if TYPE_CHECKING:
    import sqlite3
    from sqlite3 import Connection

_SQLITE_ERROR = 1  # the code of mistakes in a statement, not of a file that is locked, full or read-only
_BUSY_SECONDS = 1.0  # a change takes a few milliseconds: who waits longer waits for one that hangs

Change = tuple[str, tuple[object, ...]]
"""A statement and its values."""

_Result = TypeVar("_Result")


class Damaged(Exception):
    """A row that none of us wrote."""


def cache_folder() -> Path:
    """The folder of all caches. Raises FileNotFoundError where the user has no home."""
    import platformdirs

    folder = Path(platformdirs.user_cache_dir("devreg", appauthor=False))
    if not folder.is_absolute():
        raise FileNotFoundError(f"no home folder: {folder}")
    return folder


class CacheFile:
    """A database named `name` in `folder` (the user's own cache folder by default), opened when it is first used.

    `tables`: the statements that make the tables of format number `version`. `patience`: the seconds to wait for
    another devreg's change, a second by default. For several threads.
    """

    def __init__(
        self, name: str, tables: str, version: int, folder: Path | None = None, *, patience: float | None = None
    ) -> None:
        self._name = name
        self._schema = f"BEGIN IMMEDIATE;\n{tables}\nPRAGMA user_version = {version};\nCOMMIT;"
        self._version = version
        self._folder = folder
        self._patience = patience
        self._inode = 0
        self._connection: Connection | None = None
        self._usable = True
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the file. From here on nothing is known."""
        with self._lock:
            self._give_up()

    def ask(self, make: Callable[..., _Result], query: str, *values: object) -> list[_Result]:
        """What `make` makes of the columns of each row. It may raise Damaged."""
        return self._attempt(lambda connection: [make(*row) for row in connection.execute(query, values)], [])

    def change(self, *changes: Change) -> None:
        """Make all of the changes, or none."""

        def make(connection: Connection) -> None:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                for statement, values in changes:
                    connection.execute(statement, values)

        self._attempt(make, None)

    def entries(self) -> int:
        """How many rows there are, in all tables."""
        return sum(sum(self.ask(int, f"SELECT COUNT(*) FROM {table}")) for table in self._tables())  # noqa: S608

    def clear(self) -> None:
        """Forget everything, also what is left of it in the file, whatever its format. Others that use it go on.

        Raises ConfigUnusable where that cannot be done, RefusedOverwrite where no file is in its place.
        """
        with self._lock:
            self._close()
            try:
                import sqlite3

                with closing(self._connected()) as connection:
                    _empty(connection)
            except (ImportError, OSError) as error:
                raise _not_emptied(self.path(), error) from error
            except sqlite3.OperationalError as error:
                raise _not_emptied(self.path(), error) from error
            except (sqlite3.DatabaseError, UnicodeDecodeError):  # nobody can be using what is no database
                self._remove()

    def _tables(self) -> list[str]:
        return self.ask(str, "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB '[a-z]*'")

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
                    self._connection = self._connection or self._opened()
                    return work(self._connection)
                except UnicodeEncodeError:  # a word from the command line that is no text: nothing is known of it
                    return nothing
                except (sqlite3.NotSupportedError, DevregError, OSError):
                    break
                except sqlite3.OperationalError as error:
                    if not _has_other_tables(error):
                        break
                    self._remove()
                except (sqlite3.DatabaseError, UnicodeDecodeError, Damaged):
                    self._remove()
            self._give_up()
            return nothing

    def _opened(self) -> Connection:
        """The database, its tables made if there are none. Raises sqlite3.Error, DevregError or OSError."""
        import sqlite3

        with ExitStack() as stack:
            connection = stack.enter_context(closing(self._connected()))
            (number,) = connection.execute("PRAGMA user_version").fetchone()
            if number > self._version:
                raise sqlite3.NotSupportedError(f"format {number} is of a newer devreg")
            if number < self._version:
                connection.executescript(self._schema)
            stack.pop_all()
        return connection

    def _connected(self) -> Connection:
        """The database as it is, an empty one if there is none. Raises sqlite3.Error, DevregError or OSError."""
        import sqlite3

        path = self.path()
        make_private_folder(path.parent)
        with suppress(FileExistsError):  # SQLite would make it readable by all; its journals get the mode of the file
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):  # SQLite would follow a link, and wait for ever for a pipe
            raise RefusedOverwrite(f"{path} is no file of devreg's", hint="see what it is, and move it away")
        if stat.S_IMODE(found.st_mode) != 0o600:
            path.chmod(0o600)
        self._inode = found.st_ino
        seconds = _BUSY_SECONDS if self._patience is None else self._patience
        connection = sqlite3.connect(path, timeout=seconds, isolation_level=None, check_same_thread=False)
        connection.text_factory = bytes.decode  # raises UnicodeDecodeError; SQLite's own error has no class
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def path(self) -> Path:
        """Where it is. Raises FileNotFoundError where the user has no home."""
        return (self._folder or cache_folder()) / self._name

    def _remove(self) -> None:
        """Delete the file that was opened; not one that another devreg has put in its place meanwhile."""
        path = self.path()
        with suppress(OSError):
            if path.lstat().st_ino == self._inode:
                path.with_name(f"{self._name}-journal").unlink(missing_ok=True)
                path.unlink()
        self._close()

    def _give_up(self) -> None:
        self._usable = False
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _empty(connection: Connection) -> None:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for (name,) in connection.execute(query).fetchall():
            quoted = name.replace('"', '""')
            connection.execute(f'DELETE FROM "{quoted}"')  # noqa: S608  # quoted as SQL does
    connection.execute("VACUUM")


def _not_emptied(path: Path, error: Exception) -> ConfigUnusable:
    return ConfigUnusable(f"could not empty {path}: {error}", hint="wait until no devreg is at work, then try again")


def _has_other_tables(error: sqlite3.OperationalError) -> bool:
    """Whether a statement does not fit the file, which is damage. Python 3.10 does not tell it from other reasons."""
    return getattr(error, "sqlite_errorcode", None) == _SQLITE_ERROR
