"""What devreg puts into a registry's folder in certs.d, and takes away again: on record before its first byte.

All of it happens under the lock of `trust`. What a killed run has left half done is undone by the next.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devreg.host import files
from devreg.host.certificates import CA, CERT, KEY
from devreg.host.signals import uninterrupted
from devreg.host.state import Record
from devreg.model.errors import ConfigUnusable, RefusedOverwrite
from devreg.model.events import Listener, Warn

_MODES = {CA: 0o644, CERT: 0o644, KEY: 0o600}
_RECORD, _JOURNAL, _BACKUPS = "certificates", "certificates-journal", "backups"


@dataclass(frozen=True)
class Change:
    """A change of a folder's files: their content before, the digests of what they get; None for no file.

    `owned`: as `Folder.owned` was. `entry`: the file with an insecure entry for the registry, where that goes too.
    """

    before: dict[str, bytes | None]
    after: dict[str, str | None]
    owned: dict[str, str]
    entry: Path | None = None


class Folder:
    """The folder of one registry. `state`: where devreg remembers which of the files are its own."""

    def __init__(self, path: Path, state: Path) -> None:
        self.path = path
        self.state = state

    def read(self) -> dict[str, bytes | None]:
        """The files that devreg may write, as they are now. Raises ConfigUnusable."""
        return {name: files.read(self.path / name) for name in _MODES}

    def owned(self) -> dict[str, str]:
        """The names of the files that devreg has put there, with the digests of their content."""
        return dict(Record(_RECORD, self.state).entries.get(str(self.path), {}))

    def refuse_foreign(self, wanted: dict[str, bytes]) -> None:
        """Raise RefusedOverwrite where a file that somebody else has put there would be written over."""
        for name, now in self.read().items():
            if name in wanted and now is not None and now != wanted[name] and not self._is_own(name, now):
                raise RefusedOverwrite(
                    f"{self.path / name} is there already, with other content, and devreg has not put it there",
                    hint="remove it or give --force, then run the command again",
                )

    def begin(self, wanted: Mapping[str, bytes | None], entry: Path | None = None) -> Change:
        """Put a change on record, before it is made. Raises ConfigUnusable."""
        now = self.read()
        before = {name: now[name] for name, content in wanted.items() if now[name] != content}
        after = {name: _digest(wanted[name]) for name in before}
        change = Change(before, after, self.owned(), entry)
        Record(_JOURNAL, self.state).note(str(self.path), _plain(change))
        return change

    def end(self) -> None:
        """The change is over, one way or the other. Raises ConfigUnusable."""
        Record(_JOURNAL, self.state).forget(str(self.path))

    def write(self, wanted: dict[str, bytes]) -> list[Path]:
        """Put files there and remember them as devreg's own, but for those that are there just so already.

        Returns the copies of what others had put there. Raises ConfigUnusable.
        """
        now = self.read()
        new = {name: content for name, content in wanted.items() if now[name] != content}
        copies = [
            files.backup(self.path / name, self.state / _BACKUPS)
            for name in new
            if (old := now[name]) is not None and not self._is_own(name, old)
        ]
        self._note({**self.owned(), **{name: str(_digest(content)) for name, content in new.items()}})
        for name, content in new.items():
            files.write_atomic(self.path / name, content, mode=_MODES[name])
        return copies

    def remove_own(self, listener: Listener) -> tuple[list[Path], list[Path]]:
        """Delete what devreg has put there, but for files that were changed since. Returns both: gone, and kept.

        All or nothing: a signal waits, and after an error everything is there again. Raises ConfigUnusable.
        """
        there = {name: now for name, now in self.read().items() if name in self.owned() and now is not None}
        own = [name for name, now in there.items() if self._is_own(name, now)]
        with uninterrupted():
            change = self.begin(dict.fromkeys(own))
            try:
                for name in own:
                    files.remove(self.path / name)
                self._tidy()
                self._note({})
                self.end()
            except BaseException:
                self.put_back(change, listener)
                self.end()
                raise
        return [self.path / name for name in own], [self.path / name for name in there if name not in own]

    def put_back(self, change: Change, listener: Listener) -> None:
        """Give the files the content that they had, and the record what it knew. Raises ConfigUnusable.

        What is neither the content before nor what devreg wrote is somebody else's by now: theirs to keep.
        """
        now = self.read()
        for name, content in change.before.items():
            if now[name] == content:
                continue
            if _digest(now[name]) != change.after[name]:
                listener(Warn(f"{self.path / name} was changed by somebody else meanwhile: it stays as it is"))
            elif content is None:
                files.remove(self.path / name)
            else:
                files.write_atomic(self.path / name, content, mode=_MODES[name])
        self._tidy()
        self._note(change.owned)

    def holds(self, change: Change) -> bool:
        """Whether the files are all as a change wants them."""
        now = self.read()
        return all(_digest(now[name]) == digest for name, digest in change.after.items())

    def sweep(self) -> None:
        """Delete what a killed run has left of its writing. Raises ConfigUnusable."""
        for name in _MODES:
            files.sweep(self.path / name)
            files.sweep(self.state / _BACKUPS / name)

    def _is_own(self, name: str, content: bytes) -> bool:
        return self.owned().get(name) == _digest(content)

    def _note(self, owned: dict[str, str]) -> None:
        if owned == self.owned():
            return
        record = Record(_RECORD, self.state)
        if owned:
            record.note(str(self.path), owned)
        else:
            record.forget(str(self.path))

    def _tidy(self) -> None:
        """An empty folder is none of a registry's; containerd would take it for one without settings."""
        with suppress(OSError):
            self.path.rmdir()


def owned(root: Path | None, state: Path) -> tuple[str, ...]:
    """The names of the folders in certs.d (`root`) into which devreg has put something, or was about to."""
    paths = map(Path, {**Record(_JOURNAL, state).entries, **Record(_RECORD, state).entries})
    return tuple(path.name for path in paths if path.parent == root)


def interrupted(state: Path) -> dict[Path, Change]:
    """The changes that killed runs have left, by their folders. Raises ConfigUnusable for a damaged record.

    One of a run that is still at work is among them: only the lock of `trust` tells.
    """
    try:
        return {Path(path): _change(plain) for path, plain in Record(_JOURNAL, state).entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigUnusable(
            f"{state / _JOURNAL}.json is damaged, so an interrupted change of certificates cannot be undone",
            hint="see that no folder in certs.d has a .cert without its .key, then remove the file",
        ) from error


def recover(state: Path, lists: Callable[[str, Path], bool | None], listener: Listener) -> None:
    """Undo what killed runs have left, under the lock of `trust`. Raises ConfigUnusable.

    `lists`: whether there is an insecure entry for a registry in a file, None where nobody can tell now. Once it has
    gone for the sake of the CA, the CA is all the trust that there is: it stays, and the change is done.
    """
    for name in (_RECORD, _JOURNAL):
        Record(name, state).sweep()
    for path, change in interrupted(state).items():
        folder, registry = Folder(path, state), path.name
        folder.sweep()
        listed = lists(registry, change.entry) if change.entry else True
        whole = folder.holds(change)
        if whole and listed is None:
            continue  # it does no harm, and a run that can tell will come
        if listed or not whole:
            listener(Warn("an earlier run was interrupted: what it had begun is undone first"))
            folder.put_back(change, listener)
            listener(Warn(f"{path} is back as it was before an interrupted run"))
            if listed is False:
                listener(Warn(f"{registry} was trusted as insecure before: `devreg trust {registry}` does so again"))
        folder.end()


def _plain(change: Change) -> dict[str, Any]:
    return {
        "before": {name: None if now is None else b64encode(now).decode() for name, now in change.before.items()},
        "after": change.after,
        "owned": change.owned,
        "entry": None if change.entry is None else str(change.entry),
    }


def _change(plain: dict[str, Any]) -> Change:
    before = {name: None if text is None else b64decode(text, validate=True) for name, text in plain["before"].items()}
    return Change(
        before=before,
        after={name: plain["after"][name] for name in before},
        owned=dict(plain["owned"]),
        entry=None if plain["entry"] is None else Path(plain["entry"]),
    )


def _digest(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()
