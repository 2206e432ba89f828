"""One conversation with one registry: requests go out, successes come back, all else is a DevregError."""

from __future__ import annotations

from collections.abc import Container, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache

import httpx
from httpx_retries import Retry

from devreg.model.credentials import Credentials
from devreg.model.errors import DevregError
from devreg.model.tls import Connection
from devreg.registry.auth import RegistryAuth
from devreg.registry.errors import translated
from devreg.registry.lane import Answer, Lane
from devreg.registry.origin import at_origin
from devreg.registry.proxies import proxy_for
from devreg.registry.refusals import refusal
from devreg.registry.tokens import Tokens
from devreg.registry.transport import PROBE_RETRY, RETRY, STREAMED, own_context, transport

_CONNECT = 10.0  # seconds: an address that is silent for so long is the wrong one, or firewalled
_TAKING_IN = 900.0  # seconds: a proxy that buffers, or a slow store, answers only when it has taken in all of a body


class Challenged(Exception):
    """A 401 came to a body that can be sent only once. What answers it is known now, and goes with the next request."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.response = response


class Session:
    """The requests to one registry over one scheme. Safe to use from several threads.

    `timeout` in seconds, for each wait and for the head of each answer; that to a body may take 15 minutes.
    `largest_body`: the bytes that one request should have at most, None for no limit; whoever finds out that there is
    one sets it.
    """

    def __init__(
        self, connection: Connection, scheme: str, *, credentials: Credentials | None, timeout: float, user_agent: str
    ) -> None:
        self.connection = connection
        self.origin = httpx.URL(f"{scheme}://{connection.address}")
        self._credentials = credentials
        self._transport = transport(connection, scheme)
        self.largest_body: int | None = None
        limits = httpx.Timeout(timeout, connect=min(timeout, _CONNECT))
        self._taking_in = httpx.Timeout(timeout, connect=min(timeout, _CONNECT), read=max(timeout, _TAKING_IN))
        headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        self._headers = headers
        tls = cache(lambda: own_context(connection)) if scheme == "https" else None
        self._lane = Lane(self.origin, tls, timeout=timeout) if proxy_for(self.origin) is None else None
        self._led_away: set[str] = set()
        self._plain = httpx.Client(transport=self._transport, timeout=limits, headers=headers)
        tokens = Tokens(self._plain, connection, self.origin, credentials)
        self._auth = RegistryAuth(tokens, connection, self.origin, credentials)
        self._client = httpx.Client(transport=self._transport, timeout=limits, headers=headers, auth=self._auth)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
        self._plain.close()
        if self._lane is not None:
            self._lane.close()

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
        response = self.ask(method, target, headers=headers)
        if not response.is_success:
            raise self.refusal(response, doing=doing, hint=hint)
        return response

    def read(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        headers: Mapping[str, str] | None = None,
        kind: str,
        also: Container[int] = (),
        missing: str | None = None,
    ) -> Answer:
        """As `send`, for a small answer, by the short way if possible. `kind`: what is asked for, such as "blobs".

        `also`: statuses of answers that are wanted although they are no success. Registries that keep a kind elsewhere
        redirect each of its requests: after the first, `ask` alone is used. `missing`: as for `refusal`.
        """
        if self._lane is not None and kind not in self._led_away:
            known = self._auth.known(method, path)
            own = {**self._headers, **(headers or {}), **({"Authorization": known} if known else {})}
            answer = self._lane.ask(method, path, own)
            if answer is not None and (answer.status == 200 or answer.status in also):
                return answer
            if answer is not None and 300 <= answer.status < 400:
                self._led_away.add(kind)
            if answer is not None and answer.status in (403, 404, 405):
                refused = httpx.Response(answer.status, headers=list(answer.headers.items()), content=answer.body)
                raise self.refusal(refused, doing=doing, missing=missing)
        response = self.ask(method, path, headers=headers)
        if not response.is_success and response.status_code not in also:
            raise self.refusal(response, doing=doing, missing=missing)
        return Answer(response.status_code, response.headers, response.content)

    @contextmanager
    def stream(self, path: str, *, doing: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """An answer that is read piece by piece, if it is a success. Raises what `send` does."""
        with translated(self.connection, self.origin):
            url = self.origin.join(path)
            extensions = {"retry": RETRY, STREAMED: True}
            request = self._client.build_request("GET", url, headers=headers, extensions=extensions)
            response = self._client.send(request, auth=self._auth, follow_redirects=True, stream=True)
            try:
                if not response.is_success:
                    response.read()
                    raise self.refusal(response, doing=doing)
                yield response
            finally:
                response.close()

    def ask(
        self,
        method: str,
        target: str | httpx.URL,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
        retry: Retry = RETRY,
    ) -> httpx.Response:
        """The answer, whatever its status. Raises NotAuthorized, and RegistryUnreachable, whose cause is httpx' error.

        `content` is the body. An iterator is sent once and never again: it raises Challenged where other bodies are
        repeated with an answer to the challenge. `retry`: which answers to which methods are passed over.
        """
        with translated(self.connection, self.origin):
            url = self.origin.join(target)  # which names of megabytes in a registry's list cannot be part of
            return self._client.request(
                method,
                url,
                headers=headers,
                content=content,
                follow_redirects=method in ("GET", "HEAD"),
                auth=_Once(self._auth) if isinstance(content, Iterator) else self._auth,
                timeout=self._client.timeout if content is None else self._taking_in,
                extensions={"retry": retry},
            )

    def refusal(
        self, response: httpx.Response, *, doing: str, hint: str | None = None, missing: str | None = None
    ) -> DevregError:
        """What an answer that is no success means. `doing` and `hint` as for `send`.

        `missing`: the next step where the repository is there, and not what was asked for in it.
        """
        return refusal(response, self.connection, self._credentials, doing=doing, hint=hint, missing=missing)

    def follow(self, response: httpx.Response, target: str) -> httpx.URL:
        """The URL that a Link or Location in `response` means, always at this registry. Raises RegistryUnreachable."""
        return at_origin(self.origin, response.url, target)


class _Once(httpx.Auth):
    """Authenticates as `auth` does, but for the repetition."""

    def __init__(self, auth: httpx.Auth) -> None:
        self._auth = auth

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The flow of httpx.Auth. Raises Challenged."""
        flow = self._auth.sync_auth_flow(request)
        response = yield next(flow)
        with suppress(StopIteration):
            flow.send(response)
            response.read()
            raise Challenged(response)
