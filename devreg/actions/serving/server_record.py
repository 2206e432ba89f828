"""What is on record of the registry server: what it runs in, where it is published, and what it was told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devreg.host.state import Record
from devreg.host.supervisor import Supervisor
from devreg.model.server import Listen
from devreg.model.server_choices import Choices
from devreg.model.server_processes import SUPERVISOR_SOCKET, Place

RECORD, RUNTIME = "server", "runtime"
CONTAINERS = "containers"
FOLDER, LISTEN, CHECKER, CHOICES, APPLIED = "folder", "listen", "checker", "choices", "applied"


def noted(key: str) -> str | None:
    """One thing; None where it is not on record."""
    value = Record(RECORD).entries.get(key)
    return value if isinstance(value, str) else None


def note(values: Mapping[str, str | None]) -> None:
    """Put values on record, and take those away that are None."""
    record = Record(RECORD)
    for key, value in values.items():
        if value is None and key in record.entries:
            record.forget(key)
        elif record.entries.get(key) != value:
            record.note(key, value)


def published() -> Listen | None:
    """Where the processes listen, running or not; None when they were never started."""
    known = noted(LISTEN)
    return Listen.parse(known) if known else None


def choices() -> Choices:
    """What the processes were told."""
    return Choices.of_text(noted(CHOICES) or "")


def keep(volume: str | None, listen: Listen | None, choices: Choices) -> None:
    """Remember where the containers are published and what they were told, with the volume that has their data."""
    if volume and listen:
        kept = {"volume": volume, LISTEN: str(listen), CHOICES: choices.to_text()}
        if Record(RECORD).entries.get(CONTAINERS) != kept:
            Record(RECORD).note(CONTAINERS, kept)


def kept(volume: str | None) -> tuple[Listen | None, Choices]:
    """What `keep` was told of the containers whose data is in that volume: of others nothing."""
    known = Record(RECORD).entries.get(CONTAINERS)
    if not isinstance(known, dict) or known.get("volume") != volume:
        return None, Choices()
    return Listen.parse(str(known[LISTEN])), Choices.of_text(str(known[CHOICES]))


def supervisor(place: Place) -> Supervisor:
    """Who watches over the processes in that folder, running or not."""
    return Supervisor(Path(place.run), SUPERVISOR_SOCKET)
