"""`devreg status`: the engine, what it trusts, the default registry, and whether all of it answers."""

from __future__ import annotations

from devreg.actions.reach import open_registry
from devreg.engine.client import connect
from devreg.host import credentials as stored
from devreg.model.address import Address
from devreg.model.errors import DevregError
from devreg.model.results import EngineState, Overview, RegistryState


def overview(address: Address, source: str, *, timeout: float) -> Overview:
    """How things are. Whatever does not answer is part of the result, never raised."""
    return Overview(_engine(), _registry(address, source, timeout))


def _engine() -> EngineState:
    try:
        engine = connect()
        info = engine.info()
    except DevregError as error:
        return EngineState(error=error.message)
    return EngineState(engine.host, info.version, info.storage_driver, (*info.insecure, *info.insecure_cidrs))


def _registry(address: Address, source: str, timeout: float) -> RegistryState:
    username = None
    try:
        credentials = stored.lookup(address)
        username = credentials.username if credentials else None
        with open_registry(address, timeout=timeout) as registry:
            return RegistryState(str(address), source, True, registry.url, username)
    except DevregError as error:
        return RegistryState(str(address), source, False, username=username, error=error.message)
