"""Whether a pull would bring anything, found without pulling."""

from __future__ import annotations

from devreg.actions.reach import open_registry
from devreg.engine.client import Engine
from devreg.model.address import HUB
from devreg.model.reference import Reference


def is_here(engine: Engine, name: Reference) -> bool:
    """Whether the engine has an image of that name, from whichever registry. Raises EngineUnreachable."""
    return bool(_held(engine, name))


def newer(engine: Engine, name: Reference, *, timeout: float) -> str | None:
    """The digest that a pull would bring, None when the engine has it already.

    Raises NotFound, NotAuthorized, RegistryUnreachable, EngineUnreachable.
    """
    digest = name.digest or offered(name, timeout)
    return None if digest in _held(engine, name) else digest


def _held(engine: Engine, name: Reference) -> tuple[str, ...]:
    from devreg.engine.digests import held

    return held(engine, name)


def offered(name: Reference, timeout: float) -> str:
    """The digest that the registry has for a name."""
    asked = name.within(HUB)
    with open_registry(asked.home, timeout=timeout) as opened:
        return opened.head_manifest(asked.repository, asked.version).digest
