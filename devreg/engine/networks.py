"""The server's private network and its volumes in the engine."""

from __future__ import annotations

from devreg.engine.client import Engine
from devreg.engine.errors import translated
from devreg.model.errors import NotFound, RefusedOverwrite
from devreg.model.server import LABEL_ROLE


def ensure_network(engine: Engine, name: str) -> bool:
    """Make the private network unless it is there; True when it was made. Raises RefusedOverwrite for a foreign one."""
    with translated(f"make the network {name}"):
        for network in engine.client.networks.list(names=[name]):
            if network.name != name:
                continue
            if LABEL_ROLE not in (network.attrs.get("Labels") or {}):
                raise RefusedOverwrite(
                    f"a network named {name} is there already and is not devreg's", hint=f"`docker network rm {name}`"
                )
            return False
        engine.client.networks.create(name, driver="bridge", labels={LABEL_ROLE: "network"})
        return True


def remove_network(engine: Engine, name: str) -> bool:
    """Remove our network; False when there is none of ours."""
    with translated(f"remove the network {name}"):
        for network in engine.client.networks.list(names=[name], filters={"label": LABEL_ROLE}):
            if network.name == name:
                network.remove()
                return True
    return False


def ensure_volume(engine: Engine, name: str) -> bool:
    """Make a named volume unless it is there; True when it was made."""
    with translated(f"make the volume {name}"):
        if has_volume(engine, name):
            return False
        engine.client.volumes.create(name, labels={LABEL_ROLE: "volume"})
        return True


def remove_volume(engine: Engine, name: str) -> bool:
    """Remove a named volume and what is in it; False when there is none."""
    with translated(f"remove the volume {name}"):
        if not has_volume(engine, name):
            return False
        engine.client.volumes.get(name).remove()
        return True


def has_volume(engine: Engine, name: str) -> bool:
    """Whether there is a volume of that name."""
    try:
        with translated(f"look for the volume {name}"):
            engine.client.volumes.get(name)
    except NotFound:
        return False
    return True
