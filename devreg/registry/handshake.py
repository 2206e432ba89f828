"""One TLS handshake with a registry: what it speaks, whose certificates it shows, and who vouches for them."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from devreg.model.address import Address
from devreg.registry.tls_faults import EXPIRED, NOT_TLS, NOT_YET_VALID, UNKNOWN_CA, WRONG_NAME

_HTTPS_PORT = 443


class Tls(Enum):
    """How a handshake ended; the value completes "the registry …"."""

    VERIFIED = "shows a certificate that is vouched for"
    UNKNOWN_CA = "shows a certificate of an authority that is not known here"
    WRONG_NAME = "shows a certificate for another name: reissue it with this one in its SAN"
    EXPIRED = "shows a certificate that has expired: renew it, or set this machine's clock"
    NOT_YET_VALID = "shows a certificate that is not valid yet: compare the clocks of both machines"
    FAILED = "does not agree on TLS"
    PLAIN_HTTP = "speaks plain HTTP, not TLS"
    NOBODY = "does not answer"


@dataclass(frozen=True)
class Handshake:
    """`tls`, the library's own words where it failed, and the certificates that were shown (DER, the server's first).

    Python tells the whole chain from 3.10 on; where it does not, `chain` has the server's own certificate only.
    """

    tls: Tls
    words: str = ""
    chain: tuple[bytes, ...] = ()


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate (DER), as openssl shows it but for colons and case."""
    return hashlib.sha256(certificate).hexdigest()


def shake(
    address: Address, *, authorities: str | None = None, pair: tuple[Path, Path] | None = None, timeout: float
) -> Handshake:
    """Connect and shake hands. `authorities`: PEM of those that may vouch, else the system's. `pair`: the files of a
    client certificate and its key. `timeout` in seconds. Never raises for what the server does; OSError for `pair`.

    The rules are those of Go, in which engines are written, whatever this Python's are. A certificate in `authorities`
    vouches also when it is no root. It may lack extensions, as most that are made by hand do: Python refuses those from
    3.13 on. A server's name counts in its SAN only, not as a Common Name.
    """
    context = ssl.create_default_context(cadata=authorities)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False
    if pair is not None:
        context.load_cert_chain(*pair)
    try:
        with _connect(address, timeout) as plain:
            return _secured(context, plain, address.host)
    except OSError as error:
        return Handshake(Tls.NOBODY, error.strerror or str(error))


def chain(address: Address, *, timeout: float) -> tuple[bytes, ...]:
    """The certificates that the server shows, unverified; () when nobody shows any.

    A server that hangs up, since it demands a certificate of its client, has shown its own before.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # to look at them only: nothing is sent
    try:
        with (
            _connect(address, timeout) as plain,
            context.wrap_socket(plain, server_hostname=address.host, do_handshake_on_connect=False) as secured,
        ):
            with suppress(OSError):
                secured.do_handshake()
            return _shown(secured)
    except (OSError, ValueError):  # ValueError: the handshake did not get as far as that
        return ()


def speaks_tls(address: Address, *, timeout: float = 3.0) -> bool | None:
    """Whether a registry speaks TLS, whoever vouches for it; None where nobody answers."""
    tls = shake(address, timeout=timeout).tls
    return None if tls is Tls.NOBODY else tls is not Tls.PLAIN_HTTP


def _connect(address: Address, timeout: float) -> socket.socket:
    return socket.create_connection((address.host, address.port or _HTTPS_PORT), timeout=timeout)


def _secured(context: ssl.SSLContext, plain: socket.socket, host: str) -> Handshake:
    try:
        with context.wrap_socket(plain, server_hostname=host) as secured:
            return Handshake(Tls.VERIFIED, chain=_shown(secured))
    except ssl.SSLCertVerificationError as error:
        return Handshake(_fault(error.verify_code), error.verify_message)
    except ssl.SSLError as error:
        return Handshake(Tls.PLAIN_HTTP if error.reason in NOT_TLS else Tls.FAILED, error.reason or str(error))
    except (ConnectionError, TimeoutError) as error:
        return Handshake(Tls.FAILED, str(error))


def _fault(code: int) -> Tls:
    if code in UNKNOWN_CA:
        return Tls.UNKNOWN_CA
    if code in WRONG_NAME:
        return Tls.WRONG_NAME
    return {EXPIRED: Tls.EXPIRED, NOT_YET_VALID: Tls.NOT_YET_VALID}.get(code, Tls.FAILED)


def _shown(secured: ssl.SSLSocket) -> tuple[bytes, ...]:
    """The chain as it was sent. Public from Python 3.13 on; before, the object beneath has the same method."""
    inner: Any = secured if hasattr(secured, "get_unverified_chain") else getattr(secured, "_sslobj", None)
    sent: Iterable[Any] = inner.get_unverified_chain() or () if hasattr(inner, "get_unverified_chain") else ()
    found = tuple(each if isinstance(each, bytes) else ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in sent)
    return found or tuple(filter(None, [secured.getpeercert(binary_form=True)]))
