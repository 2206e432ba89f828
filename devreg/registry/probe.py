"""Whether it is a registry that answered, by its answer to `GET /v2/`."""

from __future__ import annotations

import httpx

from devreg.model.challenge import chosen, parse_challenges
from devreg.model.errors import RegistryUnreachable
from devreg.model.tls import Connection
from devreg.model.wire import json_object, printable
from devreg.registry.refusals import refusal

_VERSION = "Docker-Distribution-Api-Version"
_TO_TLS_PORT = (b"plain HTTP request was sent to HTTPS port", b"HTTP request to an HTTPS server")  # nginx; Go


class SpeaksHttps(RegistryUnreachable):
    """Plain HTTP was spoken to a port that wants HTTPS."""


def check_registry(response: httpx.Response, connection: Connection) -> None:
    """Return if it is a registry's answer, else raise RegistryUnreachable, as SpeaksHttps where that is the cause."""
    if response.status_code == 400 and any(text in response.content for text in _TO_TLS_PORT):
        raise SpeaksHttps(
            f"{response.url} was asked over plain HTTP, and there is HTTPS",
            hint=f"write the address with https://, or without a scheme: {connection.address}",
        )
    if response.status_code == 429 or response.status_code >= 500:
        raise refusal(response, connection, None, doing="reach the registry")
    if not _is_registry(response):
        raise RegistryUnreachable(
            f"{response.url} answers, but not as a registry: {_instead(response)}",
            hint="check host and port; another server on port 443 or 80 hides a registry that has its own port",
        )


def _is_registry(response: httpx.Response) -> bool:
    if _VERSION in response.headers:
        return True
    if response.status_code == 401:
        return chosen(parse_challenges(response.headers.get_list("WWW-Authenticate"))) is not None
    try:
        content = json_object(response.content, "the answer")
    except RegistryUnreachable:
        return False
    return response.status_code == 200 or isinstance(content.get("errors"), list)


def _instead(response: httpx.Response) -> str:
    status = f"status {response.status_code}"
    if response.has_redirect_location:
        return f"{status}, redirected to {printable(response.headers['Location'].partition('?')[0])}"
    return f"{status}, {printable(response.headers.get('Content-Type', 'no content type'))}"
