"""A change that is under way, on disk before its first byte: a run that was killed is completed or undone by the next.

One change at a time, under the lock of `trust`. Model: certbot's reverter.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from devreg.host import certificate_folder, files
from devreg.host.edits import Edit
from devreg.host.trust_record import TrustRecord
from devreg.model.errors import ConfigUnusable

_NAME = "trust.journal"


@dataclass(frozen=True)
class Entry:
    """A change: its edits and the way back from them, what it adds and removes, whether the engine has taken it.

    `live`: what the engine went by before, None where it goes by its files.
    """

    flavour: str
    edits: tuple[Edit, ...]
    undoing: tuple[Edit, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    live: tuple[str, ...] | None = None
    proven: bool = False


class Journal:
    """The journal in a folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _NAME

    @property
    def exists(self) -> bool:
        """Whether a change is under way, of certificates too, or was when its run was killed. Raises ConfigUnusable."""
        return self._file.exists() or bool(certificate_folder.interrupted(self._file.parent))

    def begin(self, entry: Entry) -> None:
        """Put the change on record, before it is made. Raises ConfigUnusable."""
        files.write_atomic(self._file, json.dumps(_plain(entry)).encode(), mode=0o600)

    def prove(self, entry: Entry) -> None:
        """Put on record that the engine has taken the change: from here on it is completed, not undone."""
        self.begin(replace(entry, proven=True))

    def end(self) -> None:
        """The change is over, one way or the other. Raises ConfigUnusable."""
        files.remove(self._file)

    def sweep(self) -> None:
        """Delete what a killed run has left of its writing. Raises ConfigUnusable."""
        files.sweep(self._file)
        TrustRecord(self._file.parent).sweep()
        entry = self.interrupted()
        for edit in entry.edits if entry else ():
            files.sweep(edit.path)

    def interrupted(self) -> Entry | None:
        """The change that a killed run has left, None if there is none. Raises ConfigUnusable for a damaged record."""
        data = files.read(self._file)
        if data is None:
            return None
        try:
            return _entry(json.loads(data))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigUnusable(
                f"{self._file} is damaged, so an interrupted change cannot be undone",
                hint="compare daemon.json with the newest copy in the folder `backups` beside it, then remove the file",
            ) from error


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "flavour": entry.flavour,
        "edits": [_plain_edit(edit) for edit in entry.edits],
        "undoing": [_plain_edit(edit) for edit in entry.undoing],
        "added": entry.added,
        "removed": entry.removed,
        "live": entry.live,
        "proven": entry.proven,
    }


def _plain_edit(edit: Edit) -> dict[str, Any]:
    contents = {"before": edit.before, "after": edit.after, "passing": edit.passing}
    texts = {key: _text(content) for key, content in contents.items()}
    return {"path": str(edit.path), **texts, "own_folder": edit.own_folder}


def _entry(plain: dict[str, Any]) -> Entry:
    return Entry(
        flavour=str(plain["flavour"]),
        edits=_edits(plain["edits"]),
        undoing=_edits(plain["undoing"]),
        added=tuple(map(str, plain["added"])),
        removed=tuple(map(str, plain["removed"])),
        live=None if plain["live"] is None else tuple(map(str, plain["live"])),
        proven=bool(plain["proven"]),
    )


def _edits(plain: Sequence[dict[str, Any]]) -> tuple[Edit, ...]:
    return tuple(
        Edit(
            Path(each["path"]),
            before=_bytes(each["before"]),
            after=_bytes(each["after"]),
            passing=_bytes(each["passing"]),
            own_folder=bool(each["own_folder"]),
        )
        for each in plain
    )


def _text(content: bytes | None) -> str | None:
    return None if content is None else b64encode(content).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)
