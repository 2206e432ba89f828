"""How devreg may talk to a registry: decided here, once, and handed on as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from devreg.model.address import Address


class Tls(Enum):
    """The connections that may be tried, in this order, until one is answered."""

    VERIFIED = "verified HTTPS only"
    PLAIN = "plain HTTP only"
    LOOPBACK = "HTTPS, then HTTP: it is this machine"
    INSECURE = "unverified HTTPS, then HTTP: the engine trusts it as insecure"


@dataclass(frozen=True)
class Certificates:
    """The files that engines have for one registry: authorities beside the system's, a client's certificate and key."""

    authorities: tuple[str, ...] = ()
    pair: tuple[str, str] | None = None


@dataclass(frozen=True)
class Connection:
    """A way to reach one registry. `secrets_over_http`: whether credentials may go over plain HTTP.

    `token_hosts`: the hosts, as `Address` spells them, that may get them for a token, beside the registry's own.
    """

    address: Address
    tls: Tls
    secrets_over_http: bool
    certificates: Certificates = Certificates()
    token_hosts: tuple[str, ...] = ()


def connection(
    address: Address, *, trusted: bool, certificates: Certificates | None = None, token_hosts: tuple[str, ...] = ()
) -> Connection:
    """Explicit scheme > loopback > trusted as insecure by the engine > verified HTTPS only.

    `trusted` is the engine's word about this address. Credentials over plain HTTP are for loopback and trusted hosts
    only, even when the user wrote `http://`.
    """
    return Connection(
        address,
        _tls(address, trusted),
        secrets_over_http=trusted or address.is_loopback,
        certificates=certificates or Certificates(),
        token_hosts=token_hosts,
    )


def _tls(address: Address, trusted: bool) -> Tls:
    if address.scheme is not None:
        return Tls.VERIFIED if address.scheme == "https" else Tls.PLAIN
    if address.is_loopback:
        return Tls.LOOPBACK
    return Tls.INSECURE if trusted else Tls.VERIFIED
