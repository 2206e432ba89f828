"""What happens during an action, told to a listener while it happens.

Actions and adapters never print: they call the listener that they were given, `output` decides what is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One thing is about to be done, or was found done: a line for a person."""

    text: str


@dataclass(frozen=True)
class Warn:
    """Something that the user should know although the action goes on."""

    text: str


@dataclass(frozen=True)
class Layer:
    """How far one layer of a push or pull is.

    `id`: the first 12 hex digits of its digest or diffID. `status`: `compressing`, `already there`, `mounted from x`,
    `resumed at 12.0 MB`, or the engine's own words. `current`, `total`: bytes that are moved for it, 0 while unknown.
    `done`: this is its last event; one without bytes leaves them as they were.
    """

    id: str
    status: str
    current: int = 0
    total: int = 0
    done: bool = False


@dataclass(frozen=True)
class Counted:
    """How many of `total` things are done; `what` says of which, as `reading team/app`. `total`: 0 while unknown."""

    what: str
    done: int
    total: int = 0


Event = Step | Warn | Layer | Counted
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """The listener of those who do not listen."""
