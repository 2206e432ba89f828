"""What the answers to writes mean: opened, so far, refused, stored."""

from __future__ import annotations

import re
from contextlib import suppress

import httpx

from devreg.model.errors import DevregError, UploadFailed
from devreg.model.wire import error_codes, is_digest, printable, same_digest, unusable
from devreg.registry.refusals import described, is_full
from devreg.registry.retries import ONE_TRY
from devreg.registry.session import Session

_RANGE = re.compile(r"(?:bytes[= ])?0-(\d{1,18})")
_MISSING = re.compile(r"sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})")
_NAMED = 5
_UNKNOWN = frozenset(("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"))
_INVALID = "MANIFEST_INVALID"
_LASTING = _UNKNOWN | {_INVALID}
_GONE = "push again: it may have been deleted meanwhile, or lie on another node"
_FROM_URLS = (
    "it has layers that are had from URLs: let the registry take them, "
    "validation.manifests.urls.allow in its configuration; where it does already, push again"
)
_NOT_VALID = (
    "an older registry may know no OCI images, indexes or attestations: build with --provenance=false, or update it; "
    "its log tells more"
)
_HINTS = {
    413: "let the proxy before the registry take large requests; in nginx: client_max_body_size 0",
    429: "it limits how often it may be asked: push again later",
    507: "make room where the registry keeps its content, then push again",
}


def opened(response: httpx.Response) -> str:
    """The Location of the upload that a POST has opened. Raises RegistryUnreachable where it has not."""
    location: str = response.headers.get("Location", "")
    if response.status_code != 202 or not location:
        raise unusable("it did not open an upload")
    return location


def cancel(session: Session, response: httpx.Response) -> None:
    """Throw the upload away that a POST has opened, or leave that to the registry, which does it some day."""
    with suppress(DevregError):
        session.ask("DELETE", session.follow(response, opened(response)), retry=ONE_TRY)


def acknowledged(response: httpx.Response) -> int | None:
    """How many bytes a registry says it has of an upload; None where it says nothing that can be relied on.

    `0-0` is what they say both of no byte and of one (measured).
    """
    told = _RANGE.fullmatch(response.headers.get("Range", ""))
    return int(told[1]) + 1 if told and int(told[1]) else None


def refused(session: Session, response: httpx.Response, doing: str) -> DevregError:
    """The error for a write that was answered otherwise than by a success. `doing` completes "cannot …"."""
    status, after = response.status_code, response.headers.get("Retry-After")
    if status < 400 or status in (401, 403):
        return session.refusal(response, doing=doing)
    message = f"cannot {doing}: {session.connection.address} answered {described(response)}"
    if after:
        message += f", Retry-After: {printable(after)}"
    status = 507 if is_full(response) else status
    return UploadFailed(message, hint=_HINTS.get(status, "the registry's log tells more; then push again"))


def is_lasting(response: httpx.Response) -> bool:
    """Whether the registry says of a manifest that it will not take it, now or later.

    distribution 2.8 does so with status 500 for layers from URLs that it does not allow (measured).
    """
    return not _LASTING.isdisjoint(error_codes(response.content))


def not_taken(session: Session, response: httpx.Response, body: bytes, doing: str) -> DevregError:
    """The error for the manifest `body` that was refused. `doing` completes "cannot …"."""
    codes = error_codes(response.content)
    if codes.isdisjoint(_UNKNOWN):
        error = refused(session, response, doing)
        is_invalid = _INVALID in codes and isinstance(error, UploadFailed)
        return UploadFailed(error.message, hint=_NOT_VALID) if is_invalid else error
    missing = list(dict.fromkeys(_MISSING.findall(response.text)))
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return UploadFailed(
        f"cannot {doing}: the registry does not have {', '.join(missing[:_NAMED]) or 'a blob of it'}{more}",
        hint=_FROM_URLS if b'"urls"' in body else _GONE,
    )


def check_digest(response: httpx.Response, digest: str, content: bytes | None = None) -> None:
    """Raise UploadFailed where the registry has stored something else than was sent. It may tell another kind of digest
    of `content`."""
    told = response.headers.get("Docker-Content-Digest", digest)
    if told != digest and not (content is not None and is_digest(told) and same_digest(content, told)):
        raise UploadFailed(
            f"the registry has stored {printable(told)} where {digest} was sent",
            hint="push again; if it stays so, look at what stands between (proxy, load balancer)",
        )
