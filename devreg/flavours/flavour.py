"""A kind of engine, as `trust` sees it: its files, the service that reads them, and a witness of what came alive.

Each part is a Protocol of its own, since kinds share them: rootless Docker has rootful Docker's file format and witness
but a user's service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from devreg.host.edits import Edit
from devreg.model.address import Address
from devreg.model.engine import RunningContainer
from devreg.model.verdict import Verdict

Applied = Literal["reload", "restart", "none"]


class Files(Protocol):
    """Where insecure registries are written down."""

    @property
    def path(self) -> Path:
        """The file that a person would edit."""

    def listed(self) -> tuple[str, ...]:
        """The entries that are written down, as they stand there; () when there is no file. Raises ConfigUnusable."""

    def lists(self, address: Address) -> bool:
        """Whether one of the entries means this address. Raises ConfigUnusable."""

    def edits(self, add: Sequence[Address], remove: Sequence[Address]) -> tuple[Edit, ...]:
        """What to write so that `add` is listed and `remove` is not; () when it is so already.

        Everything else in the files stays as it is. Raises ConfigUnusable, with line and column where there is a
        fault, for files that devreg does not understand; UsageError for an address that the engine cannot list.
        """

    def undoing(self, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        """The way back from edits that were written, for an engine that has read them."""


class Service(Protocol):
    """Who reads the files, and how it is told to read them again."""

    @property
    def applies(self) -> Applied:
        """The mildest way to bring a change alive; `none`: the files are read at each use."""

    @property
    def by_hand(self) -> str:
        """The command that a person types to bring a change alive, or an engine back; empty for `none`."""

    @property
    def log(self) -> str:
        """Where its words are, as the end of a sentence such as "look into …"."""

    def answers(self) -> bool:
        """Whether the engine answers now."""

    def reload(self) -> None:
        """Have it read its files without stopping anything. Raises ServiceFailed."""

    def restart(self) -> None:
        """Restart it, or start it if it is down, and wait until it answers. Raises ServiceFailed."""


class Witness(Protocol):
    """What the running engine itself says and does about trust."""

    def live(self) -> frozenset[str] | None:
        """The entries that the engine goes by now. None: it goes by what the files say at each use."""

    def covers(self, address: Address) -> str | None:
        """Why the engine trusts the address without an entry for it, None if it does not: "the network 10.0.0.0/8"."""

    def stops(self) -> tuple[RunningContainer, ...]:
        """The containers that a restart would stop now."""

    def reaches(self, address: Address) -> Verdict:
        """Have the engine itself ask the registry for an image that does not exist."""


def no_objection(edits: Sequence[Edit], *, restart: bool, force: bool) -> None:
    """The preflight of kinds that are never known beforehand to fail."""
    del edits, restart, force


class Preflight(Protocol):
    """What looks for reasons why edits are known not to come alive, or to do harm, before anything is written."""

    def __call__(self, edits: Sequence[Edit], *, restart: bool, force: bool) -> None:
        """Raise a DevregError that says what is in the way. `force`: go on where only a doubt is."""


@dataclass(frozen=True)
class Flavour:
    """One engine of one kind. `name` is the JSON contract's word for the kind, such as `rootful` or `podman`.

    `certificates`: the folder that holds one folder of CA and client certificates for each registry, where the kind
    has one.
    """

    name: str
    files: Files
    service: Service
    witness: Witness
    certificates: Path | None = None
    preflight: Preflight = no_objection
