"""Bearer tokens: fetched from the token server that a challenge names, and kept until they expire.

The exchange is that of distribution's "Token Authentication" pages: GET with Basic or anonymous, and OAuth2 POST for an
identity token.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from threading import Lock

import httpx

from devreg.model.challenge import Challenge
from devreg.model.credentials import Credentials
from devreg.model.errors import DevregError, NotAuthorized, RegistryUnreachable
from devreg.model.tls import Connection
from devreg.model.wire import json_object, unusable
from devreg.registry.errors import translated
from devreg.registry.origin import shown
from devreg.registry.refusals import described
from devreg.registry.secret import basic, permit

_CLIENT_ID = "devreg"
_LIFETIME = 60  # seconds, where the server names none: the same pages
_EARLY = 5  # seconds before the end at which a token counts as used up
_TOKEN = re.compile(r"[!-~]+")  # what a header may carry

_Key = tuple[str, str, str]


@dataclass(frozen=True)
class _Token:
    text: str = field(repr=False)
    expires: float  # time.monotonic()


class Tokens:
    """The tokens for one registry. Threads that meet the same challenge at once share one answer."""

    def __init__(
        self, client: httpx.Client, connection: Connection, origin: httpx.URL, credentials: Credentials | None
    ) -> None:
        """`client` must not follow redirects: they would take the secret along."""
        self._client = client
        self._connection = connection
        self._origin = origin
        self._credentials = credentials
        self._kept: dict[_Key, _Token] = {}
        self._lock = Lock()

    def kept(self, challenge: Challenge) -> str | None:
        """The token from last time, None when there is none or it has expired."""
        token = self._kept.get(_key(challenge))
        return token.text if token and token.expires > time.monotonic() else None

    def fetch(self, challenge: Challenge, *, refused: str | None) -> str:
        """A token for `challenge`, another than `refused`.

        Raises NotAuthorized when the token server refuses the credentials or may not get them, RegistryUnreachable
        when it is none.
        """
        with self._lock:
            kept = self.kept(challenge)
            if kept is not None and kept != refused:
                return kept
            url = self._realm(challenge)
            with translated(self._connection, url):
                response = self._ask(url, challenge)
            if response.status_code != 200:
                raise self._refusal(response)
            token = _read(response.content)
            self._kept[_key(challenge)] = token
            return token.text

    def _realm(self, challenge: Challenge) -> httpx.URL:
        """The token server: over HTTPS anywhere, over plain HTTP only on the host of a registry that has no HTTPS."""
        try:
            url = httpx.URL(challenge.parameters["realm"])
        except (httpx.InvalidURL, ValueError) as error:
            raise unusable("it names a token server that is not a URL") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise unusable("it names a token server that is not a URL")
        if url.scheme == "http" and (self._origin.scheme == "https" or url.host != self._origin.host):
            raise NotAuthorized(
                f"will not ask {shown(url)} for a token, as the registry {shown(self._origin)} wants it: plain HTTP",
                hint="let the registry name a token server with https:// (realm in its configuration)",
            )
        return url

    def _ask(self, url: httpx.URL, challenge: Challenge) -> httpx.Response:
        wanted = {name: challenge.parameters[name] for name in ("service", "scope") if challenge.parameters.get(name)}
        if self._credentials is None:
            return self._client.get(_with(url, wanted))
        permit(self._credentials, self._connection, self._origin, url)
        if self._credentials.is_identity_token:
            form = {"grant_type": "refresh_token", "client_id": _CLIENT_ID, "refresh_token": self._credentials.secret}
            return self._client.post(url, data={**wanted, **form})
        query = {"account": self._credentials.username, **wanted}
        return self._client.get(_with(url, query), headers={"Authorization": basic(self._credentials)})

    def _refusal(self, response: httpx.Response) -> DevregError:
        address, answer = self._connection.address, f"{shown(response.url)} answered {described(response)}"
        if response.status_code not in (400, 401, 403, 405):
            return RegistryUnreachable(
                f"the token server of {address} gives no token: {answer}",
                hint="try again later; the cause is in the token server's log",
            )
        if self._credentials is None:
            return NotAuthorized(f"{address} wants a login: {answer}", hint=f"log in: devreg login {address}")
        return NotAuthorized(
            f"{address} does not accept {self._credentials.shown}: {answer}",
            hint=f"check user name and password, then: devreg login {address}",
        )


def _key(challenge: Challenge) -> _Key:
    parameters = challenge.parameters
    return parameters["realm"], parameters.get("service", ""), parameters.get("scope", "")


def _with(url: httpx.URL, wanted: dict[str, str]) -> httpx.URL:
    """`url` with the parameters added; a scope that names several repositories is several parameters there."""
    scopes = wanted.get("scope", "").split()
    return url.copy_merge_params({**wanted, "scope": scopes} if scopes else wanted)


def _read(body: bytes) -> _Token:
    answer = json_object(body, "the token server's answer")
    text = answer.get("token") or answer.get("access_token")
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise unusable("the token server's answer has no token")
    lifetime = answer.get("expires_in")
    if type(lifetime) is not int or not 0 < lifetime < 10**9:  # JSON's true is an int to isinstance
        lifetime = _LIFETIME
    return _Token(text, time.monotonic() + lifetime - _EARLY)
