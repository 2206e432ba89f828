"""Which flavour the running engine is."""

from __future__ import annotations

from pathlib import Path

from devreg.engine.client import Engine
from devreg.flavours.flavour import Flavour
from devreg.flavours.rootful import rootful
from devreg.model.errors import ConfigUnusable


def found(engine: Engine, state: Path) -> Flavour:
    """The flavour of an engine on this machine. `state`: where devreg remembers what it has changed.

    Raises ConfigUnusable for an engine that is not on this machine or that devreg cannot change, EngineUnreachable.
    """
    if not engine.is_local:
        raise ConfigUnusable(
            f"the engine is a remote one ({engine.host}): its settings are not on this machine",
            hint="run the command on that machine, or unset DOCKER_HOST",
        )
    info = engine.info()
    return rootful(engine, info, state)
