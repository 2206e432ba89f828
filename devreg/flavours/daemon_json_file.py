"""A daemon.json on this machine: the list of insecure registries in it, and edits that leave all else as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from devreg.host import files
from devreg.host.edits import Edit
from devreg.model import daemon_json
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable, UsageError
from devreg.model.insecure_entry import accepted, has_entry

_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
# The engine trusts these of itself; they are in no daemon.json.
_BUILT_IN = ("127.0.0.0/8", "::1/128")


class DaemonJson:
    """The file at `path`, and `live`: what the engine that reads it trusts now, however it came to."""

    def __init__(self, path: Path, live: Callable[[], Iterable[str]]) -> None:
        self._path = path
        self._live = live

    @property
    def path(self) -> Path:
        """The file that a person would edit."""
        return self._path

    def listed(self) -> tuple[str, ...]:
        """The entries in the file; () when there is no file. Raises ConfigUnusable."""
        return tuple(daemon_json.entries(daemon_json.parse(self._text(), str(self.path))))

    def lists(self, address: Address) -> bool:
        """Whether an entry means this address. Raises ConfigUnusable."""
        return has_entry(self.listed(), str(address))

    def edits(self, add: Sequence[Address], remove: Sequence[Address]) -> tuple[Edit, ...]:
        """What to write so that `add` is listed and `remove` is not. A list that gets empty leaves with its key.

        The engine has to read that list as `[]` first: a reload acts only on keys that are there (measured). So does an
        engine that trusts an address of `remove` although the file does not list it (any more).
        Raises ConfigUnusable, with line and column, for a file that Docker would not start with; UsageError for an
        address that engines refuse in their list.
        """
        before = files.read(self.path)
        text = self._text()
        settings = daemon_json.parse(text, str(self.path))
        daemon_json.lint(text, known=frozenset(self._live()), source=str(self.path))
        for address in add:
            text = daemon_json.with_entry(text, _listable(address))
        for address in remove:
            text = daemon_json.without_entry(text, str(address))
        stays = daemon_json.entries(daemon_json.parse(text))
        if stays or not remove:
            return _edit(self.path, before, text)
        passing = text if daemon_json.KEY in daemon_json.parse(text) else daemon_json.with_list(text, [])
        after = daemon_json.without_key(text).encode() if daemon_json.KEY in settings else before
        return (Edit(self.path, before, after, passing.encode()),)

    def undoing(self, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        """The way back. A file that spells the list out makes the engine forget what was added; then the old bytes."""
        trusted = sorted(frozenset(self._live()) - frozenset(_BUILT_IN))
        return tuple(self._undoing(edit, trusted) for edit in edits)

    def _undoing(self, edit: Edit, trusted: Sequence[str]) -> Edit:
        old = daemon_json.decode(edit.before or b"", str(self.path))
        return Edit(edit.path, edit.read, edit.before, daemon_json.with_list(old, trusted).encode())

    def _text(self) -> str:
        return daemon_json.decode(files.read(self.path) or b"", str(self.path))


def _edit(path: Path, before: bytes | None, text: str) -> tuple[Edit, ...]:
    after = text.encode()
    return () if after == (before or b"") else (Edit(path, before, after),)


def _listable(address: Address) -> str:
    entry = str(address)
    if entry in _HUB:
        raise ConfigUnusable(
            f"{entry} is Docker's hub: engines never use it without TLS", hint="name a registry of your own"
        )
    if not accepted(entry):
        raise UsageError(f"engines refuse {entry} in their list", hint=f"add the port: {entry}:5000")
    return entry
