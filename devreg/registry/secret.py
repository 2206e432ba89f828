"""Whether a secret may be sent, and the header that sends it. Asked before every use of one."""

from __future__ import annotations

from base64 import b64encode

import httpx

from devreg.model.credentials import Credentials
from devreg.model.errors import NotAuthorized
from devreg.model.tls import Connection


def permit(credentials: Credentials, connection: Connection, origin: httpx.URL, receiver: httpx.URL) -> None:
    """Return if the secret of `credentials` may go to `receiver`, else raise NotAuthorized.

    Also the registry that named the receiver (`origin`) counts: over plain HTTP anybody on the way could have named
    one of their own.
    """
    for url in (receiver, origin):
        if url.scheme != "https" and not connection.secrets_over_http:
            host = url.netloc.decode("ascii", "replace")
            raise NotAuthorized(
                f"will not send {credentials.shown} over plain HTTP to {host}",
                hint=f"devreg trust {connection.address}",
            )


def basic(credentials: Credentials) -> str:
    """The value of `Authorization` for HTTP Basic, in UTF-8 (RFC 7617)."""
    return "Basic " + b64encode(f"{credentials.username}:{credentials.secret}".encode()).decode()
