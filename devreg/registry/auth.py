"""Answers to a registry's 401, whichever request meets it.

Engines look for the challenge at `GET /v2/` only; registries that are open for reading ask later, at the first write
(measured: the usual nginx in front of a registry does), so here each answer is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Generator

import httpx

from devreg.model.challenge import Challenge, chosen, parse_challenges
from devreg.model.credentials import Credentials
from devreg.model.tls import Connection
from devreg.registry.origin import same_origin
from devreg.registry.secret import basic, permit
from devreg.registry.tokens import Tokens

_PARTS = re.compile(r"(/v2/.+)/(?:manifests|blobs|tags)/")

_Area = tuple[bool, str]


class RegistryAuth(httpx.Auth):
    """Sends a request bare, answers the challenge if one comes, and next time sends the answer at once.

    At most one repetition a request. Only the registry itself is answered, not a host that it redirects to.
    """

    def __init__(
        self, tokens: Tokens, connection: Connection, origin: httpx.URL, credentials: Credentials | None
    ) -> None:
        self._tokens = tokens
        self._connection = connection
        self._origin = origin
        self._credentials = credentials
        self._challenges: dict[_Area, Challenge] = {}

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The flow of httpx.Auth. Raises what Tokens.fetch does."""
        area = _area(request.method, request.url.path)
        used = self._remembered(area)
        if used is not None:
            request.headers["Authorization"] = used
        response = yield request
        if response.status_code != 401 or not same_origin(response.request.url, self._origin):
            return
        challenge = chosen(parse_challenges(response.headers.get_list("WWW-Authenticate")))
        answer = self._answer(challenge, used) if challenge else None
        if challenge is None or answer is None or answer == used:
            return
        self._challenges[area] = challenge
        request.headers["Authorization"] = answer
        yield request

    def known(self, method: str, path: str) -> str | None:
        """The header that has answered the challenge to such a request before; None while there was none."""
        return self._remembered(_area(method, path))

    def _remembered(self, area: _Area) -> str | None:
        challenge = self._challenges.get(area)
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            return self._basic()
        token = self._tokens.kept(challenge)
        return token and f"Bearer {token}"

    def _answer(self, challenge: Challenge, used: str | None) -> str | None:
        if challenge.scheme == "basic":
            return self._basic()
        return f"Bearer {self._tokens.fetch(challenge, refused=used and used.removeprefix('Bearer '))}"

    def _basic(self) -> str | None:
        if self._credentials is None or self._credentials.is_identity_token:
            return None
        permit(self._credentials, self._connection, self._origin, self._origin)
        return basic(self._credentials)


def _area(method: str, path: str) -> _Area:
    """What one challenge is good for: reading, or writing, one repository."""
    writes = method not in ("GET", "HEAD") or "/blobs/uploads/" in path
    parts = _PARTS.match(path)
    return writes, parts[1] if parts else path
