"""Which flavour the running engine is."""

from __future__ import annotations

from pathlib import Path

from devreg.engine.client import Engine
from devreg.flavours.flavour import Flavour
from devreg.model.engine import EngineInfo
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
    return _of_other_kind(engine, info) or _dockerd(engine, info, state)


def _of_other_kind(engine: Engine, info: EngineInfo) -> Flavour | None:
    """The kinds that are no dockerd of this machine's own, those first that the others could be taken for."""
    from devreg.flavours import colima, desktop, orbstack, podman, snap, users_socket

    if info.podman:
        return podman.podman(socket=users_socket.place(engine.host))
    kinds = (
        (orbstack.is_orbstack, orbstack.orbstack),
        (colima.is_colima, colima.colima),
        (desktop.is_desktop, desktop.desktop),
        (desktop.is_windows_service, desktop.windows_service),
        (snap.is_snap, snap.snap),
    )
    return next((make(engine, info) for recognises, make in kinds if recognises(info, engine.host)), None)


def _dockerd(engine: Engine, info: EngineInfo, state: Path) -> Flavour:
    if info.rootless:
        from devreg.flavours.rootless import rootless

        return rootless(engine, info, state)
    from devreg.flavours.rootful import rootful

    return rootful(engine, info, state)
