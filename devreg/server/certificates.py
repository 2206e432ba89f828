"""Certificates of the server: an authority of its own, what that issues, and whether one that was given can serve.

With `cryptography`: the standard library issues none, and the openssl program is not on every machine, nor does it say
what is wrong in a form to act on. All in PEM, as text; nothing here reads or writes a file.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

from devreg.model.errors import ConfigUnusable

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

# Browsers and Go take up to 825 days of a private authority; a year and a month is what public ones give.
_LIFE, _AUTHORITY_LIFE = timedelta(days=397), timedelta(days=3653)
RENEW_BEFORE = timedelta(days=60)
_BACKDATED = timedelta(hours=1)  # for clients whose clock is behind


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain, and its key."""

    chain: str
    key: str = field(repr=False)


def new_authority(name: str) -> Pair:
    """An authority that signs for servers only, for ten years."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(f"devreg registry authority of {name}"[:64])
    builder = _builder(subject, subject, key.public_key(), _AUTHORITY_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(sign_certificates=True), critical=True)
    return _signed(builder, key, key)


def issue(authority: Pair, names: tuple[str, ...]) -> Pair:
    """A server's certificate for DNS names and IP addresses, for 397 days at most."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    issuer = x509.load_pem_x509_certificate(authority.chain.encode())
    signer = serialization.load_pem_private_key(authority.key.encode(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)  # noqa: S101 - new_authority made it
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_named(names[0][:64]), issuer.subject, key.public_key(), _LIFE, issuer.not_valid_after_utc)
    alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
    builder = builder.add_extension(alternatives, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(sign_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return _signed(builder.add_extension(identifier, critical=False), key, signer)


def check(pair: Pair, names: tuple[str, ...], *, now: datetime) -> datetime:
    """When a certificate that was given ends. Raises ConfigUnusable that says why it cannot serve `names`."""
    chain, key = _chain(pair.chain), _public_part(pair.key)
    if _public(chain[0]) != key:
        if any(_public(each) == key for each in chain[1:]):
            raise _unusable("its own certificate is not the first", "put the server's certificate before its issuers")
        raise _unusable("the key does not belong to it", "give the key that its request was made with")
    for issued, issuer in pairwise(chain):
        if not _issued_by(issued, issuer):
            raise _unusable(
                f"in its chain {_called(issued)} is followed by {_called(issuer)}, which did not issue it",
                "write the server's certificate first, then its issuer, then that one's",
            )
    for each in chain:
        if not each.not_valid_before_utc <= now <= each.not_valid_after_utc:
            word = "expired on" if now > each.not_valid_after_utc else "is not valid before"
            day = each.not_valid_after_utc if now > each.not_valid_after_utc else each.not_valid_before_utc
            raise _unusable(f"{_called(each)} {word} {day:%Y-%m-%d}", "renew it, or compare this machine's clock")
    if uncovered := [name for name in names if not covers(pair.chain, (name,))]:
        known = ", ".join(sorted(_names(chain[0]))) or "no name at all (a common name does not count)"
        raise _unusable(f"it is not for {uncovered[0]} but for {known}", "have it issued for that name, as a SAN")
    return min(each.not_valid_after_utc for each in chain)


def covers(chain: str, names: Iterable[str]) -> bool:
    """Whether the first certificate is for all these names."""
    known = _names(_chain(chain)[0])
    return all(name in known or f"*.{name.partition('.')[2]}" in known for name in names)


def ends(chain: str) -> datetime:
    """When the first of the certificates in the chain to end ends."""
    return min(each.not_valid_after_utc for each in _chain(chain))


def issued_by(chain: str, authority: str) -> bool:
    """Whether the last certificate in the chain comes from that authority."""
    return _issued_by(_chain(chain)[-1], _chain(authority)[0])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    life: timedelta,
    latest: datetime | None = None,
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - _BACKDATED).not_valid_after(min(now + life, latest or now + life))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _signed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> Pair:
    from cryptography.hazmat.primitives import hashes, serialization

    certificate = builder.sign(signer, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(certificate.public_bytes(pem).decode(), private.decode())


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    never = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(
        digital_signature=not sign_certificates, key_cert_sign=sign_certificates, crl_sign=sign_certificates, **never
    )


def _named(text: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> set[str]:
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    dns = {name.lower() for name in found.get_values_for_type(x509.DNSName)}
    return dns | {str(address) for address in found.get_values_for_type(x509.IPAddress)}


def _chain(text: str) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise _unusable(
            "it is no certificate in PEM", "`openssl x509 -inform der -in FILE` turns DER into PEM"
        ) from error


def _public_part(key: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        private = serialization.load_pem_private_key(key.encode(), None)
    except TypeError as error:
        raise _unusable(
            "the key is encrypted, and nginx cannot ask for its password", "`openssl pkey -in FILE` decrypts it"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable("the key is no private key in PEM", "give the file with BEGIN PRIVATE KEY in it") from error
    return private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _public(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _called(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or ", ".join(sorted(_names(certificate))) or "one without a name"


def _unusable(fault: str, hint: str) -> ConfigUnusable:
    return ConfigUnusable(f"the registry cannot use that certificate: {fault}", hint=hint)
