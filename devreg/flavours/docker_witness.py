"""What dockerd says of its trust (`GET /info`), and how far it gets with it."""

from __future__ import annotations

from collections.abc import Sequence

from devreg.engine.client import Engine
from devreg.model.address import Address
from devreg.model.engine import RunningContainer
from devreg.model.insecure_entry import has_entry
from devreg.model.verdict import Verdict


class DockerWitness:
    """The engine behind its API. `flags`: the values of dockerd's --insecure-registry flags."""

    def __init__(self, engine: Engine, flags: Sequence[str] = ()) -> None:
        self._engine = engine
        self._flags = tuple(flags)

    def live(self) -> frozenset[str]:
        """The names and networks that the engine trusts now. Raises EngineUnreachable."""
        info = self._engine.info()
        return frozenset((*info.insecure, *info.insecure_cidrs))

    def covers(self, address: Address) -> str | None:
        """Why it trusts the address without an entry in a file. Raises EngineUnreachable."""
        info = self._engine.info()
        if network := info.trusted_network(address):
            return f"the network {network}"
        if has_entry(self._flags, str(address)) and str(address) in info.insecure:
            return "a flag of dockerd"
        return None

    def stops(self) -> tuple[RunningContainer, ...]:
        """The containers that a restart would stop: all that run, unless live-restore keeps them."""
        return () if self._engine.info().live_restore else self._engine.running()

    def reaches(self, address: Address) -> Verdict:
        """Have dockerd ask the registry for an image that does not exist."""
        from devreg.engine.reach import reaches

        return reaches(self._engine, address)
