"""`--tls`: how the registry server speaks TLS."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from devreg.model.errors import UsageError


@dataclass(frozen=True)
class Certificate:
    """A server certificate with its chain, and its key: two PEM files, by their paths."""

    chain: str
    key: str


class Tls(str, Enum):
    """The choices that have a name. `OFF` is plain HTTP, on loopback or behind a proxy that speaks TLS."""

    OFF = "off"
    SELF_SIGNED = "self-signed"


def parse(text: str) -> Tls | Certificate:
    """Read `off`, `self-signed` or `CERTIFICATE,KEY`. Raises UsageError."""
    if text in {each.value for each in Tls}:
        return Tls(text)
    chain, comma, key = text.partition(",")
    if not (comma and chain and key) or "," in key:
        raise UsageError(
            f"--tls {text!r} is none of the ways to speak TLS",
            hint="write `--tls self-signed`, `--tls CERTIFICATE.pem,KEY.pem` or `--tls off`",
        )
    return Certificate(chain, key)
