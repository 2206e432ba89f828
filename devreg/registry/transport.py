"""How bytes get to a server and back: TLS, proxies, limits and repetition, for every request of this package.

httpx asks a transport for each single request, redirects and token requests included, so what is promised here holds
for all of them.
"""

from __future__ import annotations

import ssl
from threading import Lock

import httpx
from httpx_retries import Retry, RetryTransport

from devreg.model.errors import RegistryUnreachable
from devreg.model.tls import Certificates, Connection, Tls
from devreg.model.wire import unusable
from devreg.registry import deadline
from devreg.registry.origin import shown
from devreg.registry.proxies import proxy_for

MAX_BODY = 8 * 2**20
"""Bytes. Manifests are limited to 4 MiB by the distribution-spec; the longest lists and configs stay below, too."""

RETRY = Retry(
    total=4,
    allowed_methods=("GET", "HEAD"),
    status_forcelist=(429, 500, 502, 503, 504),
    retry_on_exceptions=(httpx.NetworkError, httpx.RemoteProtocolError),  # not time-outs: those were patience enough
    backoff_factor=0.25,
    backoff_jitter=0.5,
    max_backoff_wait=30,
    total_timeout=60,
)
PROBE_RETRY = RETRY.copy_with(retry_on_exceptions=(httpx.ReadError, httpx.RemoteProtocolError))
"""For the question which scheme a registry speaks: there a refused connection is an answer, a broken one is none."""


STREAMED = "devreg.streamed"
"""The extension of a request whose answer, if it is a success, is read by whoever asked: a blob may have any size.

Until they allow more, it has the time that its head has."""


def transport(connection: Connection, scheme: str) -> httpx.BaseTransport:
    """The transport for one registry: bounded answers, and GET and HEAD repeated after passing faults."""
    return RetryTransport(_Transport(connection, scheme), RETRY)


class _Transport(httpx.BaseTransport):
    """Sends one request over the connection that its host may have. The answer is read whole, unless it is STREAMED."""

    def __init__(self, connection: Connection, scheme: str) -> None:
        self._connection = connection
        self._scheme = scheme
        self._pools: dict[tuple[bool, bool, str | None], deadline.BoundedTransport] = {}
        self._lock = Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises RegistryUnreachable for an answer beyond the limits and for a step from HTTPS down to HTTP."""
        if self._scheme == "https" and request.url.scheme == "http":
            raise RegistryUnreachable(
                f"the registry speaks HTTPS but leads to {shown(request.url)}, which devreg does not follow",
                hint="set X-Forwarded-Proto in the proxy before the registry",
            )
        response = self._pool(request.url).handle_request(request)
        if request.extensions.get(STREAMED) and response.is_success:
            return response
        deadline.allow(response, deadline.MAX_SECONDS)
        try:
            body = _whole(response)
        finally:
            response.close()
        headers = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
        stream = httpx.ByteStream(body)
        return httpx.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.close()

    def _pool(self, url: httpx.URL) -> deadline.BoundedTransport:
        # Trusted as insecure is the registry, not the token server or the storage that it sends us to.
        own = url.host == self._connection.address.host
        verified, proxy = self._connection.tls is Tls.VERIFIED or not own, proxy_for(url)
        with self._lock:
            if (verified, own, proxy) not in self._pools:
                context = _context(verified, self._connection.certificates if own else Certificates())
                self._pools[verified, own, proxy] = deadline.BoundedTransport(verify=context, proxy=proxy)
            return self._pools[verified, own, proxy]


def _context(verified: bool, certificates: Certificates) -> ssl.SSLContext:
    context = httpx.create_ssl_context(verify=verified)
    if verified:
        context.load_default_certs()  # a private CA that the machine trusts, as engines do; httpx knows certifi's only
    if certificates.authorities:  # an engine takes any certificate of them for one that vouches, also a server's own
        context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    try:
        for file in certificates.authorities:
            context.load_verify_locations(cafile=file)
        if certificates.pair:
            context.load_cert_chain(*certificates.pair)
    except (ssl.SSLError, OSError) as error:
        files = ", ".join((*certificates.authorities, *(certificates.pair or ())))
        raise RegistryUnreachable(
            f"the registry's certificates on this machine cannot be used: {error.strerror or error}",
            hint=f"look at {files}",
        ) from error
    return context


def own_context(connection: Connection) -> ssl.SSLContext:
    """What TLS with the registry itself has to be like. Raises RegistryUnreachable for certificates of no use."""
    return _context(connection.tls is Tls.VERIFIED, connection.certificates)


def _whole(response: httpx.Response) -> bytes:
    """The body, without its compression. A bomb goes off in pieces: one of them has 64 MiB at most."""
    if response.headers.get("Content-Encoding", "identity") not in ("identity", "gzip"):
        raise unusable("it is compressed in a way that was not asked for")
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > MAX_BODY:
            raise unusable(f"it is longer than {MAX_BODY // 2**20} MiB")
    return bytes(body)
