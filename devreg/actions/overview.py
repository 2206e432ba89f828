"""`devreg status`: the engine, what it trusts, the default registry, and whether all of it answers."""

from __future__ import annotations

from devreg.actions.reach import open_registry
from devreg.actions.trust_drift import drift
from devreg.engine.client import Engine, connect
from devreg.flavours.found import found
from devreg.host import credentials as stored
from devreg.host.state import state_folder
from devreg.model.address import Address
from devreg.model.errors import DevregError
from devreg.model.results import Drift, EngineState, Overview, RegistryState


def overview(address: Address, source: str, *, timeout: float) -> Overview:
    """How things are. Whatever does not answer is part of the result, never raised."""
    try:
        engine = connect()
    except DevregError as error:
        return Overview(EngineState(error=error.message), _registry(address, source, timeout))
    return Overview(_engine(engine), _registry(address, source, timeout), _drift(engine))


def _drift(engine: Engine) -> tuple[Drift, ...]:
    """Nothing to tell about engines that `trust` leaves alone, and files that it will not read."""
    try:
        return drift(found(engine, state_folder()), state_folder())
    except DevregError:
        return ()


def _engine(engine: Engine) -> EngineState:
    try:
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
