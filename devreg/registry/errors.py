"""The one place where failures of httpx become errors of devreg.

Foreign texts are not repeated: they may quote headers.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import httpx

from devreg.model.errors import RegistryUnreachable
from devreg.model.tls import Connection, Tls
from devreg.registry.origin import shown
from devreg.registry.tls_faults import EXPIRED, NOT_TLS, NOT_YET_VALID, UNKNOWN_CA, WRONG_NAME

FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict, UnicodeError)
"""Everything that httpx raises, and what Python's resolver says of a host such as `a..b` in a hostile URL."""

_BY_CLASS: dict[type[Exception], tuple[str, str]] = {
    httpx.ConnectTimeout: ("does not answer", "check the address and that no firewall is in between"),
    httpx.TimeoutException: ("took too long to answer", "try again; if it stays so, look at the registry's log"),
    httpx.ProxyError: ("cannot be reached through the proxy", "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"),
    httpx.ConnectError: ("cannot be reached", "check the address and that the registry is running"),
    httpx.NetworkError: ("broke off the connection", "try again; if it stays so, look at the registry's log"),
    httpx.RemoteProtocolError: ("broke off its answer, or speaks no HTTP", "check the address, and the registry's log"),
    httpx.TooManyRedirects: ("redirects without end", "check the configuration of the proxy before the registry"),
    httpx.UnsupportedProtocol: ("leads to a URL that is not HTTP", "check that the address is a registry's"),
    UnicodeError: ("is no host that can be", "check the address, and where the registry leads to"),
    httpx.InvalidURL: ("leads to something that is not a URL", "check that the address is a registry's"),
}
_OTHERWISE = ("gave an answer that cannot be read", "check that the address is a registry's")

_E = TypeVar("_E", bound=BaseException)


@contextmanager
def translated(connection: Connection, url: httpx.URL) -> Iterator[None]:
    """Around whatever asks httpx for `url`: its exceptions leave as RegistryUnreachable."""
    try:
        yield
    except FOREIGN as error:
        raise translate(error, connection, _asked(error) or url) from error


def translate(error: Exception, connection: Connection, url: httpx.URL) -> RegistryUnreachable:
    """What an exception of httpx, met on the way to `url`, means to the user."""
    fault, hint = _fault(error, connection, url)
    return RegistryUnreachable(f"{shown(url)} {fault}", hint=hint)


def _fault(error: Exception, connection: Connection, url: httpx.URL) -> tuple[str, str]:
    # An explicit scheme beats the engine's trust, and loopback needs none.
    free = connection.address.scheme is None and not connection.address.is_loopback
    trust = f"devreg trust {connection.address}" if free else "write the address without https://"
    strict = connection.tls is Tls.VERIFIED and url.host == connection.address.host
    if certificate := _cause(error, ssl.SSLCertVerificationError):
        return _certificate(certificate, url.host, trust)
    if tls := _cause(error, ssl.SSLError):
        if tls.reason in NOT_TLS:
            return "speaks plain HTTP, not HTTPS", trust if strict else "write the address with http://"
        return f"does not agree on TLS ({tls.reason or 'connection closed'})", "check the TLS settings of the server"
    if _cause(error, socket.gaierror):
        return "is no host that this machine knows", "check the spelling, and DNS"
    if _cause(error, ConnectionRefusedError):
        hint = trust if strict and url.port is None else "check the port, and that the registry is running"
        return "refuses the connection: nothing listens there", hint
    return next((words for kind in type(error).__mro__ if (words := _BY_CLASS.get(kind))), _OTHERWISE)


def _certificate(error: ssl.SSLCertVerificationError, host: str, trust: str) -> tuple[str, str]:
    if error.verify_code == EXPIRED:
        return "has a certificate that has expired", "renew the certificate, or set this machine's clock"
    if error.verify_code == NOT_YET_VALID:
        return "has a certificate that is not valid yet", "compare the clocks of both machines"
    if error.verify_code in WRONG_NAME:
        return f"has a certificate for another name than {host}", f"reissue the certificate with {host} in its SAN"
    if error.verify_code in UNKNOWN_CA:
        return "has a certificate of an authority that this machine does not know", trust
    return f"has a certificate that is not accepted ({error.verify_message})", "reissue the certificate"


def _cause(error: BaseException, kind: type[_E]) -> _E | None:
    """The exception of that kind beneath; httpx wraps httpcore's, which wraps the system's."""
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, kind):
            return current
        current = current.__cause__ or current.__context__
    return None


def _asked(error: Exception) -> httpx.URL | None:
    """Whom the failed request was for: after a redirect, or for a token, not the registry."""
    try:
        return error.request.url if isinstance(error, httpx.RequestError) else None
    except RuntimeError:  # httpx: no request was set
        return None
