"""How the engine and a registry are reached: which connection, with whose credentials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from devreg import __version__
from devreg.host import certificates
from devreg.host import credentials as stored
from devreg.host.content_cache import ContentCache
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import EngineRefused, EngineUnreachable
from devreg.model.tls import Connection, connection
from devreg.registry.client import Registry, connect
from devreg.remote.contents import Contents
from devreg.settings import Settings

if TYPE_CHECKING:
    from devreg.engine.client import Engine

USER_AGENT = f"devreg/{__version__}"


def open_engine() -> Engine:
    """The engine of DOCKER_HOST, of the CLI's context, or of the default socket. Raises EngineUnreachable."""
    # Imported here, since most calls are for a registry on loopback and need no engine: its SDK takes longer to import
    # than a hundred tags take to list.
    from devreg.engine.client import connect

    return connect()


def connection_to(address: Address) -> Connection:
    """The connection to use, by the address, by what the user's settings and the engine trust, and by the certificates
    that the engine has for it."""
    settings, own = Settings(), certificates.of(address)
    trusted = not address.is_loopback and (settings.trusts(address) or _is_trusted_by_engine(address))
    return connection(address, trusted=trusted, certificates=own, token_hosts=settings.token_hosts)


def _is_trusted_by_engine(address: Address) -> bool:
    try:
        return open_engine().info().trusts(address)
    except (EngineUnreachable, EngineRefused):
        return False


def open_registry(address: Address, *, timeout: float, credentials: Credentials | None = None) -> Registry:
    """A registry that answered, with `credentials` or the stored ones. Raises RegistryUnreachable, NotAuthorized."""
    credentials = credentials or stored.lookup(address)
    return connect(connection_to(address.endpoint), credentials=credentials, timeout=timeout, user_agent=USER_AGENT)


@contextmanager
def open_contents(address: Address, *, timeout: float) -> Iterator[Contents]:
    """As `open_registry`, with the cache of manifests and configs before it."""
    with open_registry(address, timeout=timeout) as registry, ContentCache() as cache:
        yield Contents(registry, cache)
