"""What a registry's refusal, a status of 300 or more, means to the user."""

from __future__ import annotations

import httpx

from devreg.model.credentials import Credentials
from devreg.model.errors import DevregError, NotAuthorized, NotFound, RegistryUnreachable
from devreg.model.tls import Connection
from devreg.model.wire import error_codes, error_summary, tells_full_disk


def refusal(
    response: httpx.Response,
    connection: Connection,
    credentials: Credentials | None,
    *,
    doing: str,
    hint: str | None = None,
    missing: str | None = None,
) -> DevregError:
    """The error for `response`. `doing` completes "cannot …"; `hint`: the next step after 403, 404, 405.

    `missing`: the next step after 404 and 405, where it is not the repository that is missing.
    """
    address, status = connection.address, response.status_code
    message = f"cannot {doing}: {address} answered {described(response)}"
    if status == 401:
        return _unauthorized(message, connection, credentials)
    if status == 403:
        denied = NotAuthorized(message, hint=hint or f"ask for the right, or log in as another: devreg login {address}")
        denied.denied = True
        return denied
    if status in (404, 405):
        codes = error_codes(response.content)
        if "BLOB_UNKNOWN" in codes:
            missing = "the registry has lost it: push or copy the image there once more"
        if missing is None or "NAME_UNKNOWN" in codes:
            missing = f"check the name; what there is, tells devreg repos {address}"
        return NotFound(message, hint=hint or missing)
    if status == 429:
        return RegistryUnreachable(message, hint="it limits how often it may be asked: wait, or log in")
    if status >= 500:
        return RegistryUnreachable(message, hint="try again later; the cause is in the registry's log")
    if 300 <= status < 400:
        return RegistryUnreachable(message, hint="let the proxy serve /v2/ itself, without redirecting")
    return RegistryUnreachable(message, hint="check that the address is a registry's, and its version")


def described(response: httpx.Response) -> str:
    """`404 Not Found`, and the registry's own codes and messages in brackets when it sent them."""
    status = f"{response.status_code} {httpx.codes.get_reason_phrase(response.status_code)}".strip()
    summary = error_summary(response.content)
    if is_full(response):
        summary = f"{summary}; its disk is full".lstrip("; ")
    return f"{status} ({summary})" if summary else status


def is_full(response: httpx.Response) -> bool:
    """Whether the registry says that it has no room left for what it was sent."""
    return response.status_code == 500 and tells_full_disk(response.content)


def _unauthorized(message: str, connection: Connection, credentials: Credentials | None) -> NotAuthorized:
    login = f"devreg login {connection.address}"
    if credentials is None:
        return NotAuthorized(message, hint=f"log in: {login}")
    return NotAuthorized(f"{message}, also to {credentials.shown}", hint=f"log in again: {login}")
