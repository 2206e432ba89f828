"""How actions reach a registry: which connection, with whose credentials."""

from __future__ import annotations

from devreg import __version__
from devreg.host import credentials as stored
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import EngineUnreachable
from devreg.model.tls import Connection, connection
from devreg.registry.client import Registry, connect

USER_AGENT = f"devreg/{__version__}"


def connection_to(address: Address) -> Connection:
    """The connection to use, by the address and by what the engine trusts. Without an engine nothing is trusted."""
    if address.is_loopback:
        return connection(address, trusted=False)
    # Here, since most calls are for loopback and need no engine: its SDK takes longer to import than to list tags.
    from devreg.engine.client import connect as connect_engine

    try:
        return connection(address, trusted=connect_engine().info().trusts(address))
    except EngineUnreachable:
        return connection(address, trusted=False)


def open_registry(address: Address, *, timeout: float, credentials: Credentials | None = None) -> Registry:
    """A registry that answered, with `credentials` or the stored ones. Raises RegistryUnreachable, NotAuthorized."""
    credentials = credentials or stored.lookup(address)
    return connect(connection_to(address), credentials=credentials, timeout=timeout, user_agent=USER_AGENT)
