"""The server's private network and its volumes in the engine. Only what carries our label is ever removed."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from devreg.engine.client import Engine
from devreg.engine.errors import translated
from devreg.model.errors import NotFound, RefusedOverwrite, ServerError
from devreg.model.server import LABEL_MADE, LABEL_ROLE

# What fails here is the registry server.
_translated = partial(translated, refused=ServerError)


def ensure_network(engine: Engine, name: str) -> str:
    """The id of the private network, made unless it is there. Raises RefusedOverwrite for a foreign one."""
    with _translated(f"make the network {name}"):
        networks = [network for network in engine.client.networks.list(names=[name]) if network.name == name]
        for network in networks:
            if LABEL_ROLE in _labels(network):
                return str(network.id)
        if networks:
            raise RefusedOverwrite(
                f"a network named {name} is there already and is not devreg's", hint=f"`docker network rm {name}`"
            )
        return str(engine.client.networks.create(name, driver="bridge", labels={LABEL_ROLE: "network"}).id)


def has_network(engine: Engine, name: str) -> bool:
    """Whether there is a network of that name, whoever has made it."""
    with _translated(f"look for the network {name}"):
        return any(network.name == name for network in engine.client.networks.list(names=[name]))


def remove_network(engine: Engine, name: str) -> bool:
    """Remove our network; False when there is none of ours."""
    with _translated(f"remove the network {name}"):
        ours = [network for network in engine.client.networks.list(names=[name]) if LABEL_ROLE in _labels(network)]
        for network in ours:
            network.remove()
    return bool(ours)


def ensure_volume(engine: Engine, name: str) -> None:
    """Make a named volume unless it is there. One that somebody else has made is used as it is."""
    if not has_volume(engine, name):
        labels = {LABEL_ROLE: "volume", LABEL_MADE: uuid.uuid4().hex}
        with _translated(f"make the volume {name}"):
            engine.client.volumes.create(name, labels=labels)


def remove_volume(engine: Engine, name: str) -> bool:
    """Remove a volume of ours and what is in it; False when there is none, or it is not ours."""
    try:
        with _translated(f"remove the volume {name}"):
            volume = engine.client.volumes.get(name)
            if LABEL_ROLE not in _labels(volume):
                return False
            volume.remove()
    except NotFound:
        return False
    return True


def has_volume(engine: Engine, name: str) -> bool:
    """Whether there is a volume of that name, whoever has made it."""
    return _volume_labels(engine, name) is not None


def volume_id(engine: Engine, name: str) -> str | None:
    """What tells a volume of ours from an earlier one of the same name; None when there is none of ours.

    The engine's own time of making does not: 20.10 moves it when the first file comes in (measured).
    """
    return (_volume_labels(engine, name) or {}).get(LABEL_MADE)


def _volume_labels(engine: Engine, name: str) -> dict[str, str] | None:
    try:
        with _translated(f"look for the volume {name}"):
            return _labels(engine.client.volumes.get(name))
    except NotFound:
        return None


def _labels(made: Any) -> dict[str, str]:
    return made.attrs.get("Labels") or {}
