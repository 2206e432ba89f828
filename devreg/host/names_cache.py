"""The names that were last seen in registries and in the engine: for completion, and to tell news by."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from devreg.host.cache_file import CacheFile, Damaged
from devreg.model.address import Address
from devreg.model.wire import is_digest

NAME = "names.sqlite"
_FORMAT = 1
_NAMES = 100_000
_LONGEST = 512  # characters: registries take 255 for a repository, 128 for a tag
_SECONDS = 90 * 86_400.0
_PATIENCE = 0.05  # seconds: who has pressed TAB waits

# A list is what stands under a registry (empty for the engine) and a repository (empty for the list of them).
_TABLES = """
CREATE TABLE IF NOT EXISTS names (
    registry TEXT, repository TEXT, name TEXT, digest TEXT, seen REAL, PRIMARY KEY (registry, repository, name));
"""
_ENGINE = ""
_LIST = "registry = ? AND repository = ?"
_BEGINNING = "(? = '' OR substr(name, 1, length(?)) = ?)"  # completion asks for few of many
_TOO_MANY = "DELETE FROM names WHERE rowid <= (SELECT rowid FROM names ORDER BY rowid DESC LIMIT 1 OFFSET ?)"


class NamesCache:
    """The cache in a folder (the user's own cache folder by default), opened when it is first used.

    For several threads. Close it at the end; it is a context manager.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.file = CacheFile(NAME, _TABLES, _FORMAT, folder, patience=_PATIENCE)

    def __enter__(self) -> NamesCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. From here on nothing is known."""
        self.file.close()

    def images(self, beginning: str = "") -> tuple[str, ...]:
        """The local images whose names begin so."""
        return tuple(self._list(_ENGINE, "", beginning))

    def learn_images(self, names: Iterable[str]) -> None:
        """These are all of the local images."""
        self._learn(_ENGINE, "", dict.fromkeys(names))

    def registries(self) -> tuple[str, ...]:
        """The registries that something is known of."""
        query = "SELECT DISTINCT registry FROM names WHERE registry != ? AND seen > ?"
        return tuple(self.file.ask(_text, query, _ENGINE, time.time() - _SECONDS))

    def repositories(self, registry: Address, beginning: str = "") -> tuple[str, ...]:
        """The repositories of a registry whose names begin so."""
        return tuple(self._list(str(registry), "", beginning))

    def learn_repositories(self, registry: Address, names: Iterable[str]) -> None:
        """These are all of a registry's repositories."""
        self._learn(str(registry), "", dict.fromkeys(names))

    def tags(self, registry: Address, repository: str, beginning: str = "") -> dict[str, str | None]:
        """The tags of a repository that begin so, each with the digest that it was last seen to stand for."""
        return self._list(str(registry), repository, beginning)

    def learn_tags(self, registry: Address, repository: str, tags: Mapping[str, str | None]) -> None:
        """These are all of a repository's tags, each with its digest where that is known."""
        self._learn(str(registry), repository, tags)

    def _list(self, registry: str, repository: str, beginning: str) -> dict[str, str | None]:
        where = f"{_LIST} AND {_BEGINNING} AND seen > ?"
        values = (registry, repository, *[beginning] * 3, time.time() - _SECONDS)
        query = f"SELECT name, digest FROM names WHERE {where} ORDER BY rowid"  # noqa: S608  # no value is in it
        return dict(self.file.ask(_row, query, *values))

    def _learn(self, registry: str, repository: str, names: Mapping[str, str | None]) -> None:
        now = time.time()
        self.file.change(
            (f"DELETE FROM names WHERE {_LIST}", (registry, repository)),  # noqa: S608  # as above
            *(
                ("INSERT INTO names VALUES (?, ?, ?, ?, ?)", (registry, repository, name, _checked(digest), now))
                for name, digest in names.items()
                if name.isprintable() and len(name) <= _LONGEST
            ),
            ("DELETE FROM names WHERE seen < ?", (now - _SECONDS,)),
            (_TOO_MANY, (_NAMES,)),
        )


def _checked(digest: str | None) -> str | None:
    return digest if digest is not None and is_digest(digest) else None


def _row(name: object, digest: object) -> tuple[str, str | None]:
    if not isinstance(digest, str):
        return _text(name), None
    if not is_digest(digest):
        raise Damaged
    return _text(name), digest


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise Damaged
    return name
