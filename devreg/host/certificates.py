"""The folder where an engine looks for a registry's certificates: `certs.d/<host[:port]>/`.

`*.crt` are authorities, `NAME.cert` and `NAME.key` together a client's pair, of which one without the other breaks
every pull; other names are ignored in silence (measured on engine 20.10). Engines read it at each use.
"""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from devreg.host import files
from devreg.host.state import MACHINE_STATE, state_folder
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable
from devreg.model.tls import Certificates

CA, CERT, KEY = "ca.crt", "client.cert", "client.key"
_BLOCK = re.compile("-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \\1-----", re.DOTALL)


@dataclass(frozen=True)
class Pair:
    """A client's certificate and its key, as PEM files."""

    certificate: Path
    key: Path


def authorities(data: bytes, source: str) -> str:
    """The text of a file of one or more certificates in PEM. Raises ConfigUnusable for anything else in it.

    What is not ASCII is left out: letters in comments, and a byte order mark (it hides the first one from Go).
    """
    text = data.decode("ascii", errors="ignore")
    kinds = {match[1] for match in _BLOCK.finditer(text)}
    if "PRIVATE KEY-----" in text.upper():  # also one that no library would take for a key: everybody may read the file
        raise ConfigUnusable(
            f"{source} has a private key in it", hint="give the certificate of the authority only; the key is a secret"
        )
    if kinds != {"CERTIFICATE"}:
        raise ConfigUnusable(
            f"{source} is no file of certificates in PEM",
            hint="`openssl x509 -inform der -in FILE -out ca.pem` turns DER into PEM",
        )
    try:
        _store(text)
        for certificate in each(text):  # of which OpenSSL has passed over some faults
            _store(certificate)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigUnusable(
            f"{source} has a certificate that cannot be read: {getattr(error, 'reason', None) or error}",
            hint="export it again from its authority",
        ) from error
    return text


def each(text: str) -> list[bytes]:
    """The certificates (DER) in the text of a file that `authorities` has accepted."""
    return [ssl.PEM_cert_to_DER_cert(match[0]) for match in _BLOCK.finditer(text)]


def of(address: Address) -> Certificates:
    """The certificates that engines have for a registry, as far as this user may read them."""
    found = [path for root in _roots() for path in sorted((root / str(address)).glob("*")) if os.access(path, os.R_OK)]
    names = set(map(str, found))
    pairs = ((name, f"{name[:-5]}.key") for name in sorted(names) if name.endswith(".cert"))
    return Certificates(
        authorities=tuple(str(path) for path in found if path.suffix == ".crt"),
        pair=next((pair for pair in pairs if pair[1] in names), None),
    )


def _roots() -> tuple[Path, ...]:
    """The machine's folder, that of the user's own engine, and where `registry up` puts its own authority: root's
    for everybody, and the user's."""
    own = Path(platformdirs.user_config_dir()) / "docker"
    roots = (Path("/etc/docker/certs.d"), own / "certs.d", MACHINE_STATE / "certs.d", own_root())
    return tuple(dict.fromkeys(roots))


def own_root() -> Path:
    """Such a folder of devreg's, which no engine reads: for the authorities of servers that devreg runs."""
    return state_folder() / "certs.d"


def vouches(certificate: bytes) -> bool:
    """Whether a certificate (DER) is a CA's, or vouches for itself; not so what a CA has issued to a server."""
    return _store(certificate).cert_store_stats()["x509_ca"] > 0 or _is_self_issued(certificate)


def client(pair: Pair) -> dict[str, bytes]:
    """The content of a client's files, by the names that they get.

    Raises ConfigUnusable where one is missing, where a key is in the certificate's file, which everybody may read, and
    where the key is encrypted, since engines cannot ask for its password.
    """
    found = {}
    for name, path in ((CERT, pair.certificate), (KEY, pair.key)):
        content = files.read(path)
        if content is None:
            raise ConfigUnusable(f"{path} does not exist", hint="name the files of the client's certificate and key")
        found[name] = content
    if b"PRIVATE KEY-----" in found[CERT]:
        raise ConfigUnusable(
            f"{pair.certificate} has a private key in it",
            hint="give the certificate only; the key has a file of its own",
        )
    if b"ENCRYPTED" in found[KEY]:
        raise ConfigUnusable(
            f"{pair.key} is encrypted, and engines cannot ask for its password",
            hint="`openssl pkey -in FILE -out client.key` decrypts it",
        )
    return found


def lint(folder: Path) -> tuple[str, ...]:
    """What is wrong with the files that lie in a registry's folder, a sentence each."""
    names = {path.name for path in folder.glob("*")}
    return (
        *(f"{folder / name} lacks its key {name[:-5]}.key: pulls will fail" for name in sorted(names)
          if name.endswith(".cert") and f"{name[:-5]}.key" not in names),
        *(f"{folder / name} lacks its certificate {name[:-4]}.cert: pulls will fail" for name in sorted(names)
          if name.endswith(".key") and f"{name[:-4]}.cert" not in names),
        *(f"{folder / name} is ignored by engines: authorities are named *.crt" for name in sorted(names)
          if name.endswith(".pem")),
    )  # fmt: skip


def _store(content: str | bytes) -> ssl.SSLContext:
    """Has OpenSSL read certificates (PEM, or DER). Raises ssl.SSLError, and ValueError for none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=content)
    return context


def _is_self_issued(certificate: bytes) -> bool:
    """Whether issuer and subject are the same. Only for a certificate that OpenSSL has read.

    The signed part has the fields: version (left out in the first), serial number, algorithm, issuer, validity, subject
    (RFC 5280, section 4.1).
    """
    signed, _ = _content(certificate, 0)
    at, end = _content(certificate, signed)
    fields = []
    while at < end:
        _, after = _content(certificate, at)
        fields.append(certificate[at:after])
        at = after
    versioned = fields[0][0] == 0xA0
    return fields[2 + versioned] == fields[4 + versioned]


def _content(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER element at `at` starts and ends (X.690, section 8.1)."""
    start, length = at + 2, der[at + 1]
    if length & 0x80:  # the length of the length
        start += length & 0x7F
        length = int.from_bytes(der[at + 2 : start], "big")
    return start, start + length
