"""From which manifests the engine has an image: what tells whether a pull would bring anything."""

from __future__ import annotations

import docker

from devreg.engine.client import Engine
from devreg.engine.errors import translated
from devreg.model.reference import Reference


def held(engine: Engine, name: Reference) -> tuple[str, ...]:
    """The digests under which a registry gave or took the image of that name; () when there is none. Raises
    EngineUnreachable."""
    spelled = f"{name.name}@{name.digest}" if name.digest else str(name)
    with translated(f"look for the image {name}"):
        try:
            attributes = engine.client.images.get(spelled).attrs
        except docker.errors.NotFound:
            return ()
    return tuple(str(entry).partition("@")[2] for entry in attributes.get("RepoDigests") or ())
