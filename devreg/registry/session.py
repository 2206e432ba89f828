"""One conversation with one registry: requests go out, successes come back, all else is a DevregError."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from devreg.model.credentials import Credentials
from devreg.model.tls import Connection
from devreg.registry.auth import RegistryAuth
from devreg.registry.errors import translated
from devreg.registry.origin import at_origin
from devreg.registry.refusals import refusal
from devreg.registry.tokens import Tokens
from devreg.registry.transport import PROBE_RETRY, transport

_CONNECT = 10.0  # seconds: an address that is silent for so long is the wrong one, or firewalled


class Session:
    """The requests to one registry over one scheme. Safe to use from several threads.

    `timeout` in seconds, for each wait.
    """

    def __init__(
        self, connection: Connection, scheme: str, *, credentials: Credentials | None, timeout: float, user_agent: str
    ) -> None:
        self.connection = connection
        self.origin = httpx.URL(f"{scheme}://{connection.address}")
        self._credentials = credentials
        self._transport = transport(connection, scheme)
        limits = httpx.Timeout(timeout, connect=min(timeout, _CONNECT))
        headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        self._plain = httpx.Client(transport=self._transport, timeout=limits, headers=headers)
        tokens = Tokens(self._plain, connection, self.origin, credentials)
        auth = RegistryAuth(tokens, connection, self.origin, credentials)
        self._client = httpx.Client(transport=self._transport, timeout=limits, headers=headers, auth=auth)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
        self._plain.close()

    def probe(self) -> httpx.Response:
        """The bare answer to `GET /v2/`, whatever its status; no credentials are sent. Raises RegistryUnreachable."""
        url = self.origin.join("/v2/")
        with translated(self.connection, url):
            return self._plain.get(url, extensions={"retry": PROBE_RETRY})

    def send(
        self,
        method: str,
        target: str | httpx.URL,
        *,
        doing: str,
        headers: Mapping[str, str] | None = None,
        hint: str | None = None,
    ) -> httpx.Response:
        """The answer, if it is a success. `target` is a path with its query, or a URL that `follow` gave.

        `doing` completes "cannot …" in the error, `hint` is its next step where this registry does not offer that.
        Redirects are followed for reading only. Raises NotAuthorized, NotFound, RegistryUnreachable.
        """
        url = self.origin.join(target)
        with translated(self.connection, url):
            reads = method in ("GET", "HEAD")
            response = self._client.request(method, url, headers=headers, follow_redirects=reads)
        if not response.is_success:
            raise refusal(response, self.connection, self._credentials, doing=doing, hint=hint)
        return response

    def follow(self, response: httpx.Response, target: str) -> httpx.URL:
        """The URL that a Link or Location in `response` means, always at this registry. Raises RegistryUnreachable."""
        return at_origin(self.origin, response.url, target)
