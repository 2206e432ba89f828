"""Certificates: what may go into a registry's folder in certs.d, and what is wrong with what lies there."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from devreg.host import certificates
from devreg.host.certificates import CA, CERT, KEY, Pair, authorities, client, each, lint, vouches
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable
from devreg.model.tls import Certificates

AUTHORITY = trustme.CA()
PEM = AUTHORITY.cert_pem.bytes()
ISSUED = AUTHORITY.issue_cert("x.example")
LEAF, SECRET = ISSUED.cert_chain_pems[0].bytes(), ISSUED.private_key_pem.bytes()


def der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())


def self_signed() -> bytes:
    """A server's certificate that nobody but itself vouches for (DER)."""
    key, name = generate_private_key(SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "me")])
    start = x509.load_pem_x509_certificate(PEM).not_valid_before_utc
    end = start.replace(year=start.year + 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def encrypted(form: PrivateFormat) -> bytes:
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret"))


def test_several_certificates_in_one_file() -> None:
    assert authorities(b"a comment\n" + PEM + trustme.CA().cert_pem.bytes(), "f").count("BEGIN") == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no file of certificates"),
        (b"\x30\x82\x01\xff", "no file of certificates"),
        (PEM + SECRET, "private key"),
        (SECRET, "private key"),
        (PEM[:300] + b"\n-----END CERTIFICATE-----\n", "cannot be read"),
        (PEM.replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"), "no file of certificates"),
        (PEM + SECRET.lower(), "private key"),
        (PEM + SECRET[:100], "private key"),
        (PEM + b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "cannot be read"),
        (PEM + b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(PEM.decode()) + bytes(3)).encode(), "cannot be read"),
        (PEM.rstrip() + PEM, "cannot be read"),
    ],
)
def test_what_is_no_authority_is_refused_without_repeating_it(data: bytes, words: str) -> None:
    with pytest.raises(ConfigUnusable, match=words) as caught:
        authorities(data, "the.pem")
    assert "-----" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [PEM + b"-----END CERTIFICATE-----\n", b"see -----BEGIN below\n" + PEM, PEM.replace(b"\n", b"\r\n")],
    ids=["stray end", "comment", "windows"],
)
def test_certificates_are_found_among_other_lines(data: bytes) -> None:
    assert each(authorities(data, "f")) == [der(PEM)]


@pytest.mark.parametrize(
    "comment", ["\ufeff", "# F\u0151tan\u00fas\u00edtv\u00e1ny\n"], ids=["byte-order-mark", "letters"]
)
def test_what_is_not_ascii_is_left_out(comment: str) -> None:
    text = authorities(comment.encode() + PEM, "f")
    assert text.isascii()
    assert text.endswith(PEM.decode())


def test_a_servers_own_certificate_is_told_from_a_cas() -> None:
    assert vouches(der(PEM))
    assert vouches(der(AUTHORITY.create_child_ca().cert_pem.bytes()))
    assert vouches(self_signed())
    assert not vouches(der(LEAF))


def client_of(folder: Path, certificate: bytes, key: bytes) -> dict[str, bytes]:
    (folder / "c").write_bytes(certificate)
    (folder / "k").write_bytes(key)
    return client(Pair(folder / "c", folder / "k"))


def test_a_client_has_two_files(tmp_path: Path) -> None:
    assert client_of(tmp_path, LEAF, SECRET) == {CERT: LEAF, KEY: SECRET}
    (tmp_path / "k").unlink()
    with pytest.raises(ConfigUnusable, match="k does not exist"):
        client(Pair(tmp_path / "c", tmp_path / "k"))


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_with_a_password_is_refused(tmp_path: Path, form: PrivateFormat) -> None:
    with pytest.raises(ConfigUnusable, match="is encrypted"):
        client_of(tmp_path, LEAF, encrypted(form))


def test_a_key_is_not_published_with_its_certificate(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnusable, match="has a private key in it"):
        client_of(tmp_path, LEAF + SECRET, SECRET)


def test_what_engines_ignore_or_stumble_over_is_named(tmp_path: Path) -> None:
    for name in ("ca.crt", "ca.pem", "a.cert", "b.cert", "b.key", "c.key"):
        (tmp_path / name).touch()
    assert [words.partition(" ")[2] for words in lint(tmp_path)] == [
        "lacks its key a.key: pulls will fail",
        "lacks its certificate c.cert: pulls will fail",
        "is ignored by engines: authorities are named *.crt",
    ]
    assert lint(tmp_path / "none") == ()


def test_what_engines_have_for_a_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "_roots", lambda: (tmp_path / "machine", tmp_path / "own"))
    address = Address.parse("r.example:5000")
    assert certificates.of(address) == Certificates()
    for root, names in (("machine", (CA, CERT, "notes")), ("own", ("other.crt", "x.cert", "x.key"))):
        folder = tmp_path / root / str(address)
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).touch()
    own = tmp_path / "own" / str(address)
    assert certificates.of(address) == Certificates(
        (str(tmp_path / "machine" / str(address) / CA), str(own / "other.crt")),
        (str(own / "x.cert"), str(own / "x.key")),
    )
