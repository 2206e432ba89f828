"""`devreg trust --ca`: an authority for one registry, which is better than no verification at all.

The engine reads certs.d at each use, so nothing is reloaded. An insecure entry for the same registry goes: engines with
graph drivers ignore the authority beside it (measured).
"""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devreg.actions import trust as trusts
from devreg.actions import trust_change
from devreg.flavours.flavour import Flavour
from devreg.host import certificate_folder, certificates, files
from devreg.host.certificate_folder import Folder
from devreg.host.certificates import CA, Pair
from devreg.host.signals import uninterrupted
from devreg.host.state import state_folder
from devreg.host.trust_record import TrustRecord
from devreg.model.address import Address
from devreg.model.errors import (
    ConfigUnusable,
    DevregError,
    EngineRefused,
    RegistryUnreachable,
    RollbackFailed,
    UsageError,
)
from devreg.model.events import Listener, Step, Warn
from devreg.model.results import CaTrusted
from devreg.model.verdict import Reach, Verdict
from devreg.registry import handshake
from devreg.registry.handshake import Handshake, Tls

_FETCH = "fetch"
_LOCK_SECONDS = 600  # many at once wait for one another


@dataclass(frozen=True)
class CaWish:
    """What a user asks for. `ca`: the content of a file of certificates, `source` its name. `pair`: a client's own.
    `force`: write over certificates that somebody else has put there. `fetched`: the user knows the certificate by its
    fingerprint, so that it may be a server's own."""

    address: Address
    ca: bytes
    source: str
    pair: Pair | None = None
    force: bool = False
    fetched: bool = False


def asked(
    address: Address, ca: str, fingerprint: str, cert: Path | None, key: Path | None, force: bool, timeout: float
) -> CaWish:
    """The wish in the words of the command line: `ca` is a file, or `fetch`. Raises UsageError, ConfigUnusable, and as
    `fetch` does."""
    if (cert is None) is not (key is None):
        raise UsageError("a client's certificate goes with its key", hint="give both --cert and --key")
    pair = Pair(cert, key) if cert and key else None
    if ca == _FETCH:
        shown = fetch(address, fingerprint, timeout=timeout)
        return CaWish(address, shown, f"what {address} shows", pair, force, fetched=True)
    if fingerprint:
        raise UsageError("--fingerprint is for --ca fetch", hint="a file needs none")
    content = files.read(Path(ca))
    if content is None:
        raise ConfigUnusable(f"{ca} does not exist", hint="name the file of the CA's certificate, in PEM")
    return CaWish(address, content, ca, pair, force)


def declared(address: Address, ca: bytes | str, *, timeout: float) -> CaWish:
    """The wish in the words of a devreg.toml: certificates (PEM), or the fingerprint of one to fetch."""
    if isinstance(ca, bytes):
        return CaWish(address, ca, "the declared CA")
    return CaWish(address, fetch(address, ca, timeout=timeout), f"what {address} shows", fetched=True)


def fetch(address: Address, wanted: str, *, timeout: float) -> bytes:
    """The certificate with the SHA-256 fingerprint `wanted` among those that the registry shows, as PEM.

    Raises UsageError without a fingerprint, naming the topmost authority that was shown, and for one that is none;
    EngineRefused where no certificate has it; RegistryUnreachable where none is shown.
    """
    shown = handshake.chain(address, timeout=timeout)
    if not shown:
        found = handshake.shake(address, timeout=timeout)
        raise RegistryUnreachable(f"{address} {found.tls.value}", hint="check the address and its port")
    seen = [handshake.fingerprint(each) for each in shown]
    if not wanted:
        raise _blind(address, shown)
    plain = wanted.lower().removeprefix("sha256:").replace(":", "").strip()
    if len(plain) != 64 or not set(plain) <= set("0123456789abcdef"):
        raise UsageError(f"{wanted!r} is no SHA-256 fingerprint", hint="it has 64 hexadecimal digits")
    for certificate, its in zip(shown, seen, strict=True):
        if hmac.compare_digest(its, plain):
            return ssl.DER_cert_to_PEM_cert(certificate).encode()
    raise EngineRefused(
        f"{address} shows no certificate with that fingerprint, but {', '.join(seen)}: nothing was changed",
        hint="ask the registry's owner: somebody may be in between, or the certificate was renewed",
    )


def _blind(address: Address, shown: tuple[bytes, ...]) -> UsageError:
    """The refusal of a fetch without a fingerprint; it ends with the one to compare."""
    authorities = [each for each in shown if certificates.vouches(each)]
    topmost = handshake.fingerprint((authorities or shown)[-1])
    hint = "compare it with the registry's owner, then give it: --ca fetch --fingerprint SHA256"
    if not authorities:
        hint += "; it is of the registry's own certificate, since its CA is not shown: better give that by --ca FILE"
    return UsageError(
        f"without a fingerprint anybody between here and {address} could hand in a CA; shown now: {topmost}", hint=hint
    )


def trust_ca(
    flavour: Flavour, wish: CaWish, *, timeout: float, listener: Listener, state: Path | None = None
) -> CaTrusted:
    """Have the engine verify a registry by an authority.

    Raises ConfigUnusable for files that are no certificates or cannot be written, RegistryUnreachable when the
    authority does not vouch for what the registry shows, EngineRefused when the engine still does not get through (all
    is as before then), RefusedOverwrite.
    """
    state = state or state_folder()
    folder = _folder(flavour, wish.address, state)
    with _alone(flavour, state, listener):
        text = certificates.authorities(wish.ca, wish.source)
        _refuse_servers_own(wish, text, listener)
        wanted = {CA: text.encode(), **(certificates.client(wish.pair) if wish.pair else {})}
        found = _checked(wish, text, timeout, listener)
        listed = flavour.files.lists(wish.address)
        changed = any(folder.read()[name] != content for name, content in wanted.items())
        if changed and not wish.force:
            folder.refuse_foreign(wanted)
        if changed and not files.may_write(folder.path / CA):
            raise ConfigUnusable(f"writing to {folder.path} takes root", hint="run the command again with sudo")
        if changed or listed:
            verdict = _install(flavour, wish, folder, wanted, listed, listener)
        else:
            verdict = flavour.witness.reaches(wish.address)
    _warn(flavour, wish.address, verdict, listener)
    for fault in certificates.lint(folder.path):
        listener(Warn(fault))
    return CaTrusted(
        address=str(wish.address),
        flavour=flavour.name,
        file=str(folder.path / CA),
        fingerprints=tuple(map(handshake.fingerprint, certificates.each(text))),
        verified=found.tls is Tls.VERIFIED and verdict.reach is Reach.ANSWERED,
        changed=changed or listed,
        removed_insecure=listed,
    )


def installed(flavour: Flavour, address: Address, ca: bytes | str) -> bool:
    """Whether an authority is in place, named by its certificates (PEM) or by the fingerprint of one; and no insecure
    entry beside it. Raises ConfigUnusable."""
    there = _folder(flavour, address, state_folder()).read()[CA]
    if there is None or flavour.files.lists(address):
        return False
    if isinstance(ca, bytes):
        return there == certificates.authorities(ca, "the declared CA").encode()
    return ca in map(handshake.fingerprint, certificates.each(certificates.authorities(there, CA)))


def certified(flavour: Flavour, state: Path | None = None) -> tuple[Address, ...]:
    """The registries that devreg has put certificates there for."""
    names = certificate_folder.owned(flavour.certificates, state or state_folder())
    return tuple(map(Address.parse, names))


def untrust_ca(flavour: Flavour, address: Address, *, listener: Listener, state: Path | None = None) -> bool:
    """Take away the certificates that devreg has put there. Returns whether there were any.

    Raises ConfigUnusable, and as the recovery of what a killed run has left does.
    """
    state = state or state_folder()
    folder = _folder(flavour, address, state) if flavour.certificates else None
    if not (folder and folder.owned()) and not certificate_folder.interrupted(state):
        return False
    with _alone(flavour, state, listener):
        gone, kept = folder.remove_own(listener) if folder else ((), ())
    for path in kept:
        listener(Warn(f"{path} was changed since devreg put it there: it stays"))
    return bool(gone)


@contextmanager
def _alone(flavour: Flavour, state: Path, listener: Listener) -> Iterator[None]:
    """Under the lock of all that changes trust, once what killed runs have left is undone."""
    with files.locked(state / trusts.LOCK, seconds=_LOCK_SECONDS):
        trust_change.recover(flavour, state, listener)
        yield


def _folder(flavour: Flavour, address: Address, state: Path) -> Folder:
    if flavour.certificates is None:
        raise ConfigUnusable(
            f"devreg knows no folder for certificates of {flavour.name}",
            hint="add the CA to the system's: /usr/local/share/ca-certificates, then `sudo update-ca-certificates`",
        )
    return Folder(flavour.certificates / str(address), state)


def _refuse_servers_own(wish: CaWish, text: str, listener: Listener) -> None:
    """A certificate that a CA has issued to a server is not its CA's: mostly a mix-up, and void when it is renewed."""
    own = [handshake.fingerprint(each) for each in certificates.each(text) if not certificates.vouches(each)]
    if own and not wish.fetched:
        raise ConfigUnusable(
            f"{wish.source} has a certificate in it that is no CA's: its fingerprint is {own[0]}",
            hint="give only the certificate of the CA that has issued it",
        )
    if own:
        listener(
            Warn(f"this is the certificate of {wish.address} itself, not its CA's: fetch it again when it is renewed")
        )


def _checked(wish: CaWish, text: str, timeout: float, listener: Listener) -> Handshake:
    """One handshake with exactly this authority, before anything is written."""
    pair = (wish.pair.certificate, wish.pair.key) if wish.pair else None
    try:
        found = handshake.shake(wish.address, authorities=text, pair=pair, timeout=timeout)
    except OSError as error:
        raise ConfigUnusable(
            f"the client's certificate cannot be used: {error.strerror or error}",
            hint="check that the key belongs to it",
        ) from error
    if found.tls is Tls.NOBODY:
        listener(Warn(f"{wish.address} does not answer ({found.words}): the CA could not be tried"))
    elif found.tls is Tls.UNKNOWN_CA:
        raise RegistryUnreachable(
            f"{wish.source} does not vouch for {wish.address}: {found.words}",
            hint="give the CA that issued the registry's certificate",
        )
    elif found.tls is Tls.FAILED and not pair:
        raise RegistryUnreachable(
            f"{wish.address} {found.tls.value} ({found.words})",
            hint="if it demands a client's certificate, give --cert and --key too; nothing was changed",
        )
    elif found.tls is not Tls.VERIFIED:
        raise RegistryUnreachable(
            f"{wish.address} {found.tls.value} ({found.words})",
            hint="mend the registry's TLS first; nothing was changed",
        )
    return found


def _install(
    flavour: Flavour, wish: CaWish, folder: Folder, wanted: dict[str, bytes], listed: bool, listener: Listener
) -> Verdict:
    """Write, take the insecure entry away, and have the engine try; undo on failure."""
    without = trusts.Wish((wish.address,), trusted=False, force=wish.force)
    devregs = _recorded(wish.address, folder.state)
    with uninterrupted() as gate:
        change = folder.begin(wanted, entry=flavour.files.path if listed else None)
        try:
            with gate.open():
                if change.after:
                    listener(Step(f"writing {folder.path / CA}"))
                for copy in folder.write(wanted):
                    listener(Warn(f"what somebody else had put there is kept as {copy}"))
                if listed:
                    listener(Step("taking the insecure entry away, which would defeat the CA"))
                    _carry_out(flavour, without, folder.state, listener)
                verdict = _reached(flavour, wish.address)
            folder.end()
        except BaseException as error:
            try:
                folder.put_back(change, listener)
                if listed:
                    _list_again(flavour, wish.address, folder.state, devregs, listener)
                folder.end()
            except DevregError as second:
                raise RollbackFailed(
                    f"{str(error) or type(error).__name__}; putting things back failed too: {second}",
                    hint=f"look at what lies in {folder.path}; `devreg trust {wish.address}` makes it insecure again",
                ) from error
            raise
    return verdict


def _reached(flavour: Flavour, address: Address) -> Verdict:
    verdict = flavour.witness.reaches(address)
    if verdict.reach is Reach.REFUSED:
        raise EngineRefused(
            f"the engine does not accept the registry with this CA: {verdict.words}; all is as it was",
            hint=f"look into {flavour.service.log}",
        )
    return verdict


def _carry_out(flavour: Flavour, wish: trusts.Wish, state: Path, listener: Listener) -> None:
    """Change the list of insecure registries, under the lock."""
    found = trusts.plan(flavour, wish)
    if found.changed:
        trusts.refuse_without_rights(found)
        add, remove = (found.todo, ()) if wish.trusted else ((), found.todo)
        goal = trust_change.Goal(add, remove, restart=found.applied == "restart")
        trust_change.carry_out(flavour, goal, found.edits, state, listener)


def _warn(flavour: Flavour, address: Address, verdict: Verdict, listener: Listener) -> None:
    """Say what keeps the CA from being of use."""
    if trusted := flavour.witness.covers(address):
        listener(Warn(f"the engine trusts {address} by {trusted} too: it may not look at the CA until that is gone"))
    if verdict.reach is not Reach.ANSWERED:
        listener(Warn(f"the engine did not get an answer of a registry at {address}: {verdict.words}"))


def _recorded(address: Address, state: Path) -> tuple[Path, ...]:
    """The files in which devreg has listed the address."""
    record = TrustRecord(state)
    return tuple(path for path in record.paths() if str(address) in record.added(path))


def _list_again(flavour: Flavour, address: Address, state: Path, devregs: tuple[Path, ...], listener: Listener) -> None:
    """Bring the insecure entry back. Where it was not devreg's, it is not now: an undo would take it away."""
    if flavour.files.lists(address):
        return
    _carry_out(flavour, trusts.Wish((address,), force=True), state, listener)
    record = TrustRecord(state)
    for path in _recorded(address, state):
        if path not in devregs:
            record.note(path, added=(), removed=(str(address),), content=files.read(path))
