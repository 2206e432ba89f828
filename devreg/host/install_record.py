"""What `registry install` has put on this machine and what was there before; and a change of it that is under way.

Both are on disk before the first byte changes, so that a run that was killed is undone by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from devreg.host.kept_files import Kept
from devreg.host.state import Record
from devreg.host.system_units import UnitState
from devreg.model.errors import ConfigUnusable
from devreg.model.installed import InstalledSite

_NAME, _INSTALLED, _UNDER_WAY = "install", "installed", "under_way"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Before:
    """The machine before a change. `nginx`: whether it ran. `volume`, `network`: whether the service's were there."""

    files: Mapping[Path, Kept | None]
    unit: UnitState
    nginx: bool
    volume: bool
    network: bool


@dataclass(frozen=True)
class Change:
    """A change that is under way. `after`: the digests of what the files get, None for no file."""

    before: Before
    after: Mapping[Path, str | None]


@dataclass(frozen=True)
class Put:
    """What is installed. `digests`: of the files as written; `before`: the machine before the first install."""

    digests: Mapping[Path, str]
    before: Before
    site: InstalledSite


class InstallRecord:
    """The record in a folder. What a method says is on disk when it returns. Raises ConfigUnusable for damage."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._record = Record(_NAME, folder)

    def installed(self) -> Put | None:
        """What is installed; None for nothing."""
        plain = self._record.entries.get(_INSTALLED)
        return None if plain is None else self._read(lambda: _installed(plain))

    def under_way(self) -> Change | None:
        """The change that a killed run has left; None for none."""
        plain = self._record.entries.get(_UNDER_WAY)
        return None if plain is None else self._read(lambda: _change(plain))

    def sweep(self) -> None:
        """Delete what a killed run has left of its writing."""
        self._record.sweep()

    def begin(self, change: Change) -> None:
        """A change is about to be made."""
        plain = {"before": _plain(change.before), "after": {str(path): each for path, each in change.after.items()}}
        self._record.note(_UNDER_WAY, plain)

    def give_up(self) -> None:
        """The change is undone: what was installed before it still is."""
        self._record.forget(_UNDER_WAY)

    def settle(self, installed: Put | None) -> None:
        """The change is done, and this is installed now; None: nothing. Both in one write."""
        del self._record.entries[_UNDER_WAY]
        if installed is None:
            self._record.forget(_INSTALLED)
            return
        put = {str(path): digest for path, digest in installed.digests.items()}
        self._record.note(_INSTALLED, {"put": put, "before": _plain(installed.before), "site": installed.site.plain()})

    def _read(self, reading: Callable[[], _T]) -> _T:
        try:
            return reading()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigUnusable(
                f"{self._folder / _NAME}.json is damaged, so an install cannot be undone",
                hint="remove it, and what it put in place by hand: `systemctl cat docker.registry.service`",
            ) from error


def _plain(before: Before) -> dict[str, Any]:
    return {
        "files": {str(path): None if each is None else each.plain() for path, each in before.files.items()},
        "unit": asdict(before.unit),
        "nginx": before.nginx,
        "volume": before.volume,
        "network": before.network,
    }


def _before(plain: dict[str, Any]) -> Before:
    return Before(
        files={Path(path): None if each is None else Kept.of_plain(each) for path, each in plain["files"].items()},
        unit=UnitState(**plain["unit"]),
        nginx=bool(plain["nginx"]),
        volume=bool(plain["volume"]),
        network=bool(plain["network"]),
    )


def _change(plain: dict[str, Any]) -> Change:
    return Change(_before(plain["before"]), {Path(path): each for path, each in plain["after"].items()})


def _installed(plain: dict[str, Any]) -> Put:
    digests = {Path(path): str(each) for path, each in plain["put"].items()}
    return Put(digests, _before(plain["before"]), InstalledSite.of_plain(plain["site"]))
