"""What came of asking an engine to reach a registry by itself: the only proof that its trust works for a pull."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Reach(Enum):
    """How an attempt of the engine to talk to a registry ended."""

    ANSWERED = "answered"
    REFUSED = "refused"  # the engine does not accept the connection that the registry offers: no trust
    STRANGER = "stranger"  # somebody answers, but not as a registry does
    UNREACHABLE = "unreachable"  # nobody answers, so nothing is known about trust


@dataclass(frozen=True)
class Verdict:
    """`reach`, and the engine's own words for it (empty where the registry answered as one)."""

    reach: Reach
    words: str = ""


_NO_TRUST = (
    "server gave http response to https client",
    "x509:",
    "tls: failed to verify certificate",
    "certificate signed by unknown authority",
    "first record does not look like a tls handshake",
    "remote error: tls",
    "tls: handshake failure",
)
_ANSWERS = (
    "manifest unknown",
    "not found",
    "name unknown",
    "unauthorized",
    "authentication required",
    "denied",
    "no basic auth credentials",
    "toomanyrequests",
)
_NO_REGISTRY = ("error parsing http", "unmarshalling content", "unexpected http status", "unexpected status")


def verdict(words: str) -> Verdict:
    """Read the error text of an engine that was asked for an image that no registry has.

    The order matters: an engine that tried HTTPS and then HTTP quotes both, and one that cannot read an answer quotes
    that. What is neither a refusal of the connection nor an answer counts as nobody there. Sources: the words of docker
    20.10 and 26.1, podman 4.3 and ctr 1.6, and of Go's crypto/tls and net beneath them.
    """
    lowered = words.lower()
    if "no such host" in lowered or "connection refused" in lowered:
        return Verdict(Reach.UNREACHABLE, words)
    if any(sign in lowered for sign in _NO_TRUST):
        return Verdict(Reach.REFUSED, words)
    if any(sign in lowered for sign in _NO_REGISTRY):
        return Verdict(Reach.STRANGER, words)
    if any(sign in lowered for sign in _ANSWERS):
        return Verdict(Reach.ANSWERED, words)
    return Verdict(Reach.UNREACHABLE, words)
