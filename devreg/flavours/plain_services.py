"""How engines other than dockerd come to read their files: at each use, or at a restart by commands."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from devreg.flavours.flavour import Applied
from devreg.host.run import CommandFailed, run
from devreg.host.services import ServiceFailed

_SECONDS = 180
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class AtEachUse:
    """Nobody has to be told: the files are read whenever an image is pulled or pushed. `log`: where its words are."""

    log: str
    applies: Applied = "none"
    by_hand: str = ""

    def answers(self) -> bool:
        """There is nothing that could be down."""
        return True

    def reload(self) -> None:
        """Nothing to do."""

    def restart(self) -> None:
        """Nothing to do."""


@dataclass(frozen=True)
class ByCommands:
    """Restarted by commands that end when it is up again. `name`: what it is called in messages.

    `first`: what goes before them and may fail. `asks`: a command that ends well while it answers. `sudo`: whether a
    person has to type it before each.
    """

    name: str
    commands: Sequence[Sequence[str]]
    asks: Sequence[str]
    log: str
    first: Sequence[Sequence[str]] = ()
    sudo: bool = True
    applies: Applied = "restart"

    @property
    def by_hand(self) -> str:
        """The commands, for a shell."""
        return "; ".join(("sudo " if self.sudo else "") + shlex.join(command) for command in self._all)

    def answers(self) -> bool:
        """Whether it answers now."""
        try:
            run(self.asks, timeout=_SECONDS)
        except CommandFailed:
            return False
        return True

    def reload(self) -> None:
        """It knows no reload. Raises ServiceFailed as `restart` does."""
        self.restart()

    def restart(self) -> None:
        """Run the commands. Raises ServiceFailed when one of them fails, or when nothing answers after them."""
        for command in self.first:
            with suppress(CommandFailed):
                run(command, timeout=_SECONDS)
        try:
            for command in self.commands:
                run(command, timeout=_SECONDS)
        except CommandFailed as error:
            raise ServiceFailed(f"{self.name} could not be restarted: {error}") from error
        deadline = time.monotonic() + _SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{self.name} was restarted, but does not answer (waited {_SECONDS} s)")
            time.sleep(_POLL_SECONDS)

    @property
    def _all(self) -> tuple[Sequence[str], ...]:
        return (*self.first, *self.commands)


def unit(name: str, *, user: bool = False, asks: Sequence[str] = ()) -> ByCommands:
    """The service of a systemd unit, of the user's own systemd where `user` is set.

    `asks`: a command that ends well while the engine answers; without one, systemd's word is taken.
    """
    systemctl = ("systemctl", "--user") if user else ("systemctl",)
    return ByCommands(
        name=name,
        # After a few failed starts systemd refuses further ones, even with a good file (measured).
        first=((*systemctl, "reset-failed", name),),
        commands=((*systemctl, "restart", name),),
        asks=asks or (*systemctl, "is-active", "--quiet", name),
        log=f"`journalctl {'--user ' if user else ''}--unit {name}`",
        sudo=not user,
    )
