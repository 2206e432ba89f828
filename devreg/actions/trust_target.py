"""Which engine `trust` is about: the running one, or the one that the user names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from devreg.engine.client import connect
from devreg.flavours.flavour import Flavour
from devreg.host import engine_setup, files
from devreg.host.journal import Journal
from devreg.host.state import state_folder
from devreg.model.errors import ConfigUnusable, EngineUnreachable, UsageError
from devreg.model.events import Listener, Step

DOCKER, BUILDX = "docker", "buildx:"


def target(named: str | None, *, listener: Listener, state: Path | None = None) -> Flavour:
    """The engine called `named`, or the one that runs here: Docker of whatever kind, else podman, k3s or containerd.

    Raises UsageError for a name that means nothing, EngineUnreachable where there is no engine, ConfigUnusable for one
    that devreg cannot change.
    """
    folder = state or state_folder()
    if named is not None and named != DOCKER:
        return _named(named)
    try:
        engine = connect()
    except EngineUnreachable:
        _repair(folder, listener)
        other = None if named or engine_setup.installed() else _other()
        if other is None:
            raise
        listener(Step(f"no Docker answers: this is about {other.name}"))
        return other
    from devreg.flavours.found import found

    return found(engine, folder)


def _named(named: str) -> Flavour:
    if named.startswith(BUILDX):
        from devreg.flavours.buildx import buildx

        return buildx(named.removeprefix(BUILDX))
    makers = _makers()
    if named not in makers:
        known = ", ".join((DOCKER, *makers, f"{BUILDX}NAME"))
        raise UsageError(f"there is no kind of engine called {named!r}", hint=f"the kinds are {known}")
    return makers[named]()


def _makers() -> dict[str, Callable[[], Flavour]]:
    from devreg.flavours.buildkit import buildkit
    from devreg.flavours.containerd import containerd
    from devreg.flavours.k3s import k3s
    from devreg.flavours.podman import podman
    from devreg.registry.handshake import speaks_tls

    return {
        "podman": podman,
        "k3s": lambda: k3s(speaks_tls=speaks_tls),
        "containerd": lambda: containerd(speaks_tls=speaks_tls),
        "buildkit": buildkit,
    }


def _other() -> Flavour | None:
    """The first engine here that is no Docker. BuildKit is not looked for: it serves an engine that is."""
    for name, make in _makers().items():
        if name != "buildkit":
            with suppress(ConfigUnusable):
                return make()
    return None


def _repair(folder: Path, listener: Listener) -> None:
    """What a killed run has left may be why no engine answers."""
    if not Journal(folder).exists:
        return
    from devreg.actions import trust, trust_change

    with files.locked(folder / trust.LOCK):
        trust_change.recover(None, folder, listener)
