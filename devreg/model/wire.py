"""Bytes that came from a registry, read without trust: JSON objects, error bodies, digests."""

from __future__ import annotations

import json
import re

from devreg.model.errors import RegistryUnreachable

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_SHORT = 200
# What distribution tells of a full disk, in the detail of an error "unknown": the system's words, or its number.
_FULL = re.compile(rb'no space left on device|disk quota exceeded|"Err": ?(?:28|122)\b')


def json_object(body: bytes, what: str) -> dict[str, object]:
    """`body` as a JSON object. `what` names it in the RegistryUnreachable that is raised when it is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise unusable(f"{what} is not a JSON object")
    return value


def unusable(fault: str) -> RegistryUnreachable:
    """The error for an answer that no registry should give."""
    return RegistryUnreachable(
        f"the registry sent an unusable answer: {fault}",
        hint="check that the address is a registry's, and what stands between (proxy, load balancer)",
    )


def is_digest(text: str) -> bool:
    """Whether `text` is a digest of a kind that registries use: sha256 or sha512, in lower-case hex."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(body: bytes) -> str:
    """The digest that registries give content by default."""
    import hashlib  # here, since who presses TAB waits for this file's imports

    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def same_digest(body: bytes, digest: str) -> bool:
    """Whether `body` is what `digest` (one that `is_digest`) promises."""
    import hashlib

    return hashlib.new(digest.partition(":")[0], body).hexdigest() == digest.partition(":")[2]


def error_codes(body: bytes) -> frozenset[str]:
    """The codes of a registry's error body, as `error_summary` reads it."""
    try:
        return frozenset(str(error["code"]) for error in json.loads(body)["errors"])
    except (ValueError, RecursionError, LookupError, TypeError):
        return frozenset()


def tells_full_disk(body: bytes) -> bool:
    """Whether a registry's error body says that it could not write for want of room."""
    return _FULL.search(body) is not None


def error_summary(body: bytes) -> str:
    """The codes and messages of a registry's error body in one short line, empty when it has none.

    The body is `{"errors": [{"code", "message", "detail"}]}` (OCI distribution-spec, "Error Codes"); anything else,
    such as a proxy's HTML page, says less than the status does and is left out.
    """
    try:
        errors = json.loads(body)["errors"]
        parts = [f"{error['code']}: {error.get('message') or ''}".rstrip(": ") for error in errors]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""
    return printable("; ".join(parts))


def printable(text: str) -> str:
    """`text` from elsewhere made fit for a message: one short line, no control characters."""
    line = "".join(character if character.isprintable() else " " for character in text[: 2 * _SHORT])
    line = " ".join(line.split())
    return line if len(line) <= _SHORT else f"{line[:_SHORT]}…"
