"""Whether a secret may be sent, and the header that sends it. Asked before every use of one."""

from __future__ import annotations

from base64 import b64encode

import httpx

from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import NotAuthorized
from devreg.model.tls import Connection
from devreg.registry.origin import shown

_WELL_KNOWN = {"registry-1.docker.io": "auth.docker.io"}
"""The token servers of registries that have it on a host beside their own."""


def permit(credentials: Credentials, connection: Connection, origin: httpx.URL, receiver: httpx.URL) -> None:
    """Return if the secret of `credentials` may go to `receiver`, else raise NotAuthorized.

    Also the registry that named the receiver (`origin`) counts: over plain HTTP anybody on the way could have named
    one of their own. Over HTTPS it may go where the registry's own name says that it belongs, or the user does.
    """
    for url in (receiver, origin):
        if url.scheme != "https" and not connection.secrets_over_http:
            host = url.netloc.decode("ascii", "replace")
            raise NotAuthorized(
                f"will not send {credentials.shown} over plain HTTP to {host}",
                hint=f"devreg trust {connection.address}",
            )
    host, named = _host(receiver), str(Address(_host(receiver), receiver.port))
    if not _belongs(host, _host(origin)) and not {host, named} & set(connection.token_hosts):
        hosts = ",".join((*connection.token_hosts, named))
        raise NotAuthorized(
            f"will not send {credentials.shown} to {shown(receiver)}, as the registry {shown(origin)} wants it: "
            "that is another host",
            hint=f"if you trust it with that: devreg config set token_hosts {hosts}",
        )


def basic(credentials: Credentials) -> str:
    """The value of `Authorization` for HTTP Basic, in UTF-8 (RFC 7617)."""
    return "Basic " + b64encode(f"{credentials.username}:{credentials.secret}".encode()).decode()


def _host(url: httpx.URL) -> str:
    return str(Address(url.raw_host.decode("ascii")))


def _belongs(host: str, registry: str) -> bool:
    """Whether a host is the registry's, is below it or above it, or is its well-known token server.

    Who rules over a name rules over all names below it, so nobody else gets anything. Names beside each other may be
    anybody's: under example.com they are one owner's, under a hoster's domain they are not.
    """
    if host == registry or _WELL_KNOWN.get(registry) == host:
        return True
    above = min(host, registry, key=len)
    is_name = "." in above and above.rpartition(".")[2][:1].isalpha()  # not the end of an IP address, nor `local`
    return is_name and max(host, registry, key=len).endswith(f".{above}")
