"""What one TLS handshake tells of a registry, against servers with certificates made on the spot."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from devreg.model.address import Address
from devreg.registry import handshake
from devreg.registry.handshake import Tls, shake, speaks_tls
from tests.http.server import Answer, Serve

SECONDS = 5.0


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


def pem(ca: trustme.CA) -> str:
    return ca.cert_pem.bytes().decode()


def home_made_ca() -> trustme.CA:
    """A CA without the extension for the use of its key, as `openssl req -x509` makes it."""
    key, now = generate_private_key(SECP256R1()), datetime.now(timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "at home")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    for extension in (
        x509.BasicConstraints(ca=True, path_length=None),
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
    ):
        builder = builder.add_extension(extension, critical=False)
    certificate = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    return trustme.CA.from_pem(
        certificate, key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )


@contextmanager
def tls_server(cert: trustme.LeafCert, ca: trustme.CA | None = None) -> Iterator[Address]:
    """Shakes hands on loopback; with `ca`, only with those who have a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # where a client without a certificate is told so at once
    cert.configure_cert(context)
    if ca:
        context.verify_mode = ssl.CERT_REQUIRED
        ca.configure_trust(context)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)
            except (ssl.SSLError, OSError):
                connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_given_authority_vouches(ca: trustme.CA) -> None:
    with tls_server(ca.issue_cert("127.0.0.1")) as address:
        assert shake(address, authorities=pem(ca), timeout=SECONDS).tls is Tls.VERIFIED
        assert speaks_tls(address, timeout=SECONDS) is True


def test_an_authority_that_is_no_root_vouches_too(ca: trustme.CA) -> None:
    below = ca.create_child_ca()
    with tls_server(below.issue_cert("127.0.0.1")) as address:
        assert shake(address, authorities=pem(below), timeout=SECONDS).tls is Tls.VERIFIED


def test_an_unknown_authority(ca: trustme.CA) -> None:
    with tls_server(ca.issue_cert("127.0.0.1")) as address:
        assert shake(address, timeout=SECONDS).tls is Tls.UNKNOWN_CA
        assert shake(address, authorities=pem(trustme.CA()), timeout=SECONDS).tls is Tls.UNKNOWN_CA


def test_another_name(ca: trustme.CA) -> None:
    with tls_server(ca.issue_cert("other.example")) as address:
        assert shake(address, authorities=pem(ca), timeout=SECONDS).tls is Tls.WRONG_NAME


def test_a_common_name_is_no_name_as_for_engines(ca: trustme.CA) -> None:
    with tls_server(ca.issue_cert(common_name="localhost")) as address:
        named = Address("localhost", address.port)
        assert shake(named, authorities=pem(ca), timeout=SECONDS).tls is Tls.WRONG_NAME


def test_a_home_made_authority_vouches_in_every_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has X509_STRICT among its defaults from 3.13 on, Go has nothing like it."""
    default = ssl.create_default_context

    def of_python_3_13(**options: Any) -> ssl.SSLContext:
        context = default(**options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", of_python_3_13)
    ca = home_made_ca()
    with tls_server(ca.issue_cert("127.0.0.1")) as address:
        assert shake(address, authorities=pem(ca), timeout=SECONDS).tls is Tls.VERIFIED


def test_an_expired_certificate(ca: trustme.CA) -> None:
    old = datetime(2001, 1, 1, tzinfo=timezone.utc)
    with tls_server(ca.issue_cert("127.0.0.1", not_before=old, not_after=old.replace(year=2002))) as address:
        assert shake(address, authorities=pem(ca), timeout=SECONDS).tls is Tls.EXPIRED
    new = datetime(2200, 1, 1, tzinfo=timezone.utc)
    with tls_server(ca.issue_cert("127.0.0.1", not_before=new, not_after=new.replace(year=2201))) as address:
        assert shake(address, authorities=pem(ca), timeout=SECONDS).tls is Tls.NOT_YET_VALID


def test_plain_http(serve: Serve) -> None:
    server = serve(Answer(200))
    address = Address.parse(server.host)
    assert shake(address, timeout=SECONDS).tls is Tls.PLAIN_HTTP
    assert speaks_tls(address, timeout=SECONDS) is False


def test_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
    assert shake(address, timeout=SECONDS).tls is Tls.NOBODY
    assert speaks_tls(address, timeout=SECONDS) is None
    assert handshake.chain(address, timeout=SECONDS) == ()


def test_one_who_never_says_a_word_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = Address("127.0.0.1", mute.getsockname()[1])
        assert shake(address, timeout=0.2).tls is Tls.FAILED


def test_a_client_certificate(ca: trustme.CA, tmp_path: Path) -> None:
    client = trustme.CA()
    pair = client.issue_cert("me@example.com")
    pair.cert_chain_pems[0].write_to_path(str(tmp_path / "c"))
    pair.private_key_pem.write_to_path(str(tmp_path / "k"))
    with tls_server(ca.issue_cert("127.0.0.1"), client) as address:
        assert shake(address, authorities=pem(ca), timeout=SECONDS).tls is Tls.FAILED
        with_pair = shake(address, authorities=pem(ca), pair=(tmp_path / "c", tmp_path / "k"), timeout=SECONDS)
        assert with_pair.tls is Tls.VERIFIED


def test_the_chain_is_shown_as_it_was_sent(ca: trustme.CA) -> None:
    below = ca.create_child_ca()
    with tls_server(below.issue_cert("127.0.0.1")) as address:
        shown = handshake.chain(address, timeout=SECONDS)
    assert ssl.PEM_cert_to_DER_cert(pem(below)) == shown[-1]
    assert len(shown) == 2
    assert len(handshake.fingerprint(shown[0])) == 64


def test_one_who_demands_a_clients_certificate_has_shown_its_own(ca: trustme.CA) -> None:
    below = ca.create_child_ca()
    with tls_server(below.issue_cert("127.0.0.1"), ca) as address:
        assert handshake.chain(address, timeout=SECONDS)[-1] == ssl.PEM_cert_to_DER_cert(pem(below))


def test_one_who_speaks_no_tls_shows_no_certificate(serve: Serve) -> None:
    assert handshake.chain(Address.parse(serve(Answer(200)).host), timeout=SECONDS) == ()
