"""Docker engines that programs of their own restart: in a virtual machine, or in a snap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from devreg.engine.client import Engine
from devreg.flavours.plain_services import ByCommands
from devreg.host.edits import Edit
from devreg.host.run import CommandFailed, run
from devreg.model.errors import EngineRefused

_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class RestartedEngine(ByCommands):
    """`asks` is a command that ends well where the others can be run; that it answers, the engine says itself.

    `otherwise`: what a person does where the commands cannot be run.
    """

    engine: Engine
    otherwise: str

    def answers(self) -> bool:
        """Whether the engine answers now."""
        return self.engine.ping()

    def preflight(self, edits: Sequence[Edit], *, restart: bool, force: bool) -> None:
        """Raise EngineRefused where a restart is bound to fail: what was written would have to be put back."""
        del edits, restart, force
        try:
            run(self.asks, timeout=_SECONDS)
        except CommandFailed as error:
            raise EngineRefused(f"{self.name} cannot be restarted from here: {error}", hint=self.otherwise) from error
