"""`devreg pull`, by the engine."""

from __future__ import annotations

from devreg.engine import images
from devreg.engine.client import Engine
from devreg.host import credentials as stored
from devreg.model.address import Address
from devreg.model.events import Listener, Step
from devreg.model.reference import Reference
from devreg.model.results import Pulled


def pull(engine: Engine, name: Reference, listener: Listener) -> Pulled:
    """Pull an image. Raises NotFound, NotAuthorized or RegistryUnreachable."""
    listener(Step(f"pulling {name}"))
    transfer = images.pull(engine, name, stored.lookup(name.registry or Address("docker.io")), listener)
    return Pulled(str(name), transfer.digest or name.digest or "", changed=transfer.fresh)
