"""The server's certificate: given, or issued by an authority of this machine's own; renewed when it is time.

The authority's key stays in a folder of this machine's that only its owner may enter; the server gets what it issues.
devreg trusts it where it was made: its certificate goes where devreg looks for a registry's authorities.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from devreg.actions.serving.server_files import ServerFiles, catch_up, put_in_force
from devreg.host import certificates as trusted
from devreg.host import files, own_address
from devreg.host.state import state_folder
from devreg.model.errors import ConfigUnusable, ServerError
from devreg.model.events import Listener, Step, Warn
from devreg.model.server import Listen, ServerFile
from devreg.model.server_choices import Choices
from devreg.model.server_tls import Certificate, Tls
from devreg.server import certificates
from devreg.server.certificates import Pair

_FOLDER = "server-ca"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Material:
    """What nginx gets: key, certificate and chain in PEM. `authority`: the file of our own CA, if that issued it."""

    pem: str = field(repr=False)
    ends: datetime
    authority: Path | None = None


def material(choices: Choices, listen: Listen, current: str, listener: Listener) -> Material | None:
    """The certificate to serve with, None for plain HTTP. `current`: the PEM file that the server has, "" for none.

    What our own authority has issued stays while it has 60 days to go and is for the names wanted. Raises
    ConfigUnusable for a certificate that cannot serve.
    """
    if choices.tls is Tls.OFF:
        return None
    now = datetime.now(timezone.utc)
    if isinstance(choices.tls, Certificate):
        pair = Pair(_text(choices.tls.chain), _text(choices.tls.key))
        return Material(_pem(pair), certificates.check(pair, choices.domains, now=now))
    names = _names(choices, listen)
    authority = _authority(now, listener)
    known = _make_known(authority, names, listen)
    if not _still_good(current, authority, names, now):
        listener(Step(f"issuing a certificate for {', '.join(names)}"))
        current = _pem(certificates.issue(authority, names))
    return Material(current, certificates.ends(current), known)


def renew(files: ServerFiles, wanted: Material | None, current: str, listener: Listener) -> bool:
    """Put a certificate in force in the running server; uploads on the way go on. False when it has it already."""
    if wanted is None or wanted.pem == current:
        return catch_up(files)
    listener(Step(f"putting the certificate in force that is good until {wanted.ends:%Y-%m-%d}"))
    if not put_in_force(files, ServerFile.CERTIFICATE, current, wanted.pem):
        raise ServerError("somebody else has just changed the certificate", hint="run the command again")
    return True


def authority(wanted: Material | None) -> str | None:
    """The file of our own authority that clients are to be given, None where there is none."""
    return str(wanted.authority) if wanted and wanted.authority else None


def ends(pem: str) -> str | None:
    """When the certificate in the server's PEM file ends (RFC 3339); None where there is none."""
    return certificates.ends(pem).strftime("%Y-%m-%dT%H:%M:%SZ") if pem else None


def _still_good(pem: str, authority: Pair, names: tuple[str, ...], now: datetime) -> bool:
    try:
        return bool(
            pem
            and certificates.issued_by(pem, authority.chain)
            and certificates.covers(pem, names)
            and certificates.ends(pem) - now > certificates.RENEW_BEFORE
        )
    except ConfigUnusable:  # damaged
        return False


def _names(choices: Choices, listen: Listen) -> tuple[str, ...]:
    """The names by which clients come, the one that matters most first."""
    reached = own_address.primary() if listen.is_unspecified else (listen.ip,)
    return tuple(dict.fromkeys((*choices.domains, *reached, *_LOOPBACK)))


def _authority(now: datetime, listener: Listener) -> Pair:
    """Our authority, made unless it is there and lasts."""
    folder = state_folder() / _FOLDER
    certificate, key = folder / "ca.crt", folder / "ca.key"
    found = Pair((files.read(certificate) or b"").decode(), (files.read(key) or b"").decode())
    if found.chain and found.key and certificates.ends(found.chain) - now > certificates.RENEW_BEFORE:
        return found
    if found.chain:
        listener(Warn("a new authority is made: clients have to be given its certificate, as they were the old one's"))
    made = certificates.new_authority(socket.gethostname())
    files.make_private_folder(folder)
    files.write_atomic(key, made.key.encode(), mode=0o600)
    files.write_atomic(certificate, made.chain.encode(), mode=0o644)
    return made


def _make_known(authority: Pair, names: tuple[str, ...], listen: Listen) -> Path:
    """Have every devreg of this machine trust the authority for the server's names; the file for the first of them."""
    made: list[Path] = []
    for name in names:
        host = f"[{name}]" if ":" in name else name
        for address in (f"{host}:{listen.port}", *((host,) if listen.port == 443 else ())):
            made.append(trusted.own_root() / address / trusted.CA)
            if files.read(made[-1]) != authority.chain.encode():
                files.write_atomic(made[-1], authority.chain.encode())
    return made[0]


def _pem(pair: Pair) -> str:
    return f"{pair.key.strip()}\n{pair.chain.strip()}\n"


def _text(path: str) -> str:
    content = files.read(Path(path))
    if content is None:
        raise ConfigUnusable(f"{path} does not exist", hint="name the files: `--tls CERTIFICATE.pem,KEY.pem`")
    return content.decode("ascii", errors="replace")
