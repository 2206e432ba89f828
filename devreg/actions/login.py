"""Log in and out. A login counts when the registry has let the user begin an upload.

Where it does not, since this user may push elsewhere only, it counts when the registry lets this one in and no others.
"""

from __future__ import annotations

from devreg.actions.reach import open_registry
from devreg.host import credentials as stored
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import NotAuthorized, UsageError
from devreg.model.events import Listener, Warn
from devreg.model.reference import checked_repository
from devreg.model.results import LoggedIn
from devreg.registry.client import Registry

_PROBE = "devreg-login-probe"


def login(address: Address, credentials: Credentials, *, timeout: float, listener: Listener) -> LoggedIn:
    """Prove credentials by a write, then store them where Docker looks. Raises NotAuthorized, RegistryUnreachable."""
    with open_registry(address, timeout=timeout, credentials=credentials) as registry:
        if not _proven(registry, credentials):
            listener(Warn(f"{address} lets anybody write: the password was not looked at"))
        if registry.scheme == "http" and not address.is_loopback:
            listener(Warn(f"{address} speaks plain HTTP: the password crosses the network in the clear at every push"))
    kept = stored.store(address, credentials)
    if kept.instead_of:
        listener(Warn(f"the credential helper {kept.instead_of} does not work: the password lies open in {kept.where}"))
    return LoggedIn(str(address), credentials.username, kept.where)


def accepted(address: Address, credentials: Credentials, *, timeout: float) -> bool:
    """Whether the registry lets these credentials write. Raises RegistryUnreachable."""
    try:
        with open_registry(address, timeout=timeout, credentials=credentials) as registry:
            _proven(registry, credentials)
    except NotAuthorized:
        return False
    return True


def _proven(registry: Registry, credentials: Credentials) -> bool:
    """As `Registry.prove_write`, but one who may not write there, only elsewhere, is known by the password alone."""
    try:
        return registry.prove_write(_probe(credentials))
    except NotAuthorized as error:
        if error.denied and registry.checks_password():
            return True
        raise


def logout(address: Address) -> bool:
    """Forget the stored credentials. False when there were none."""
    return stored.erase(address)


def _probe(credentials: Credentials) -> str:
    """The repository in which the upload that proves a login is begun and cancelled, which leaves nothing behind.

    It is among the user's own: on Docker Hub and its like nobody may write anywhere else.
    """
    try:
        return checked_repository(f"{credentials.username.lower()}/{_PROBE}")
    except UsageError:  # a user whose name cannot be part of one, such as an address
        return _PROBE
