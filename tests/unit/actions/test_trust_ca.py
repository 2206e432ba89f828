"""trust --ca with an engine, a list of insecure registries and a registry that are made up; its files are real."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from devreg.actions import trust_ca as action
from devreg.actions.trust_ca import CaWish, asked, fetch, installed, trust_ca, untrust_ca
from devreg.flavours.flavour import Flavour
from devreg.host.certificates import CA, CERT, KEY, Pair
from devreg.host.edits import Edit
from devreg.host.trust_record import TrustRecord
from devreg.model.address import Address
from devreg.model.engine import RunningContainer
from devreg.model.errors import (
    ConfigUnusable,
    EngineRefused,
    RefusedOverwrite,
    RegistryUnreachable,
    RollbackFailed,
    UsageError,
)
from devreg.model.events import Event, Warn
from devreg.model.results import CaTrusted
from devreg.model.verdict import Reach, Verdict
from devreg.registry import handshake
from devreg.registry.handshake import Handshake, Tls, fingerprint

A = Address.parse("registry.example:5000")
AUTHORITY = trustme.CA()
PEM = AUTHORITY.cert_pem.bytes()
BELOW = AUTHORITY.create_child_ca()
ISSUED = BELOW.issue_cert("registry.example")
LEAF, SECRET = ISSUED.cert_chain_pems[0].bytes(), ISSUED.private_key_pem.bytes()
REFUSED = Verdict(Reach.REFUSED, "x509: no")


def der(pem: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem.decode())


class Entries:
    """A file with an entry on each line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def listed(self) -> tuple[str, ...]:
        return tuple(self.path.read_text().split())

    def lists(self, address: Address) -> bool:
        return str(address) in self.listed()

    def edits(self, add: Sequence[Address], remove: Sequence[Address]) -> tuple[Edit, ...]:
        kept = [entry for entry in self.listed() if entry not in map(str, remove)]
        after = "".join(f"{entry}\n" for entry in [*kept, *map(str, add)])
        return (Edit(self.path, self.path.read_bytes(), after.encode()),)

    def undoing(self, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        return tuple(edit.reversed() for edit in edits)


class Reader:
    """An engine that reads its files at each use; `verdicts`: how far it gets, time after time, the last for good."""

    applies, by_hand, log = "none", "", "the log"

    def __init__(self) -> None:
        self.verdicts = [Verdict(Reach.ANSWERED)]
        self.network: str | None = None

    def answers(self) -> bool:
        return True

    def reload(self) -> None:
        raise AssertionError("certificates need no reload")

    restart = reload

    def live(self) -> None:
        return None

    def covers(self, address: Address) -> str | None:
        del address
        return self.network

    def stops(self) -> tuple[RunningContainer, ...]:
        return ()

    def reaches(self, address: Address) -> Verdict:
        del address
        return self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]


class Lab:
    """The engine, its files, and what a handshake with the registry gives."""

    def __init__(self, folder: Path) -> None:
        self.engine, self.state = Reader(), folder / "state"
        self.entries = folder / "entries"
        self.entries.write_text("")
        self.certificates = folder / "certs.d"
        self.shaken, self.heard = Handshake(Tls.VERIFIED), list[Event]()
        self.flavour = Flavour("made-up", Entries(self.entries), self.engine, self.engine, self.certificates)  # type: ignore[arg-type]

    @property
    def there(self) -> dict[str, bytes]:
        """The files in the registry's folder."""
        return {path.name: path.read_bytes() for path in (self.certificates / str(A)).glob("*")}

    @property
    def warned(self) -> str:
        return "\n".join(event.text for event in self.heard if isinstance(event, Warn))

    def put(self, name: str, content: bytes) -> None:
        """Be somebody else who has put a file there."""
        (self.certificates / str(A)).mkdir(parents=True, exist_ok=True)
        (self.certificates / str(A) / name).write_bytes(content)

    def trust(self, ca: bytes = PEM, *, pair: Pair | None = None, force: bool = False) -> CaTrusted:
        return self.grant(CaWish(A, ca, "the file", pair, force))

    def grant(self, wish: CaWish) -> CaTrusted:
        return trust_ca(self.flavour, wish, timeout=1, listener=self.heard.append, state=self.state)

    def untrust(self) -> bool:
        return untrust_ca(self.flavour, A, listener=self.heard.append, state=self.state)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    made = Lab(tmp_path)
    monkeypatch.setattr(handshake, "shake", lambda *_, **__: made.shaken)
    monkeypatch.setattr(action, "state_folder", lambda: made.state)
    return made


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    (tmp_path / "c").write_bytes(LEAF)
    (tmp_path / "k").write_bytes(SECRET)
    return Pair(tmp_path / "c", tmp_path / "k")


def shows(monkeypatch: pytest.MonkeyPatch, *certificates: bytes) -> list[str]:
    """Have the registry show these; their fingerprints."""
    monkeypatch.setattr(handshake, "chain", lambda *_, **__: tuple(map(der, certificates)))
    return [fingerprint(der(each)) for each in certificates]


def test_the_files_are_written_and_told_of(lab: Lab, pair: Pair) -> None:
    done = lab.trust(pair=pair)
    assert lab.there == {CA: PEM, CERT: LEAF, KEY: SECRET}
    assert done == CaTrusted(
        address=str(A),
        flavour="made-up",
        file=str(lab.certificates / str(A) / CA),
        fingerprints=(fingerprint(der(PEM)),),
        verified=True,
        changed=True,
        removed_insecure=False,
    )


def test_what_is_so_already_is_not_written_again(lab: Lab) -> None:
    lab.trust()
    before = (lab.certificates / str(A) / CA).stat()
    assert lab.trust().changed is False
    after = (lab.certificates / str(A) / CA).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_is_so_already_is_not_called_verified_where_the_engine_says_otherwise(lab: Lab) -> None:
    assert lab.trust().verified is True
    lab.engine.verdicts = [REFUSED]
    again = lab.trust()
    assert (again.changed, again.verified) == (False, False)
    assert REFUSED.words in lab.warned
    assert lab.there == {CA: PEM}


def test_several_authorities_in_one_file(lab: Lab) -> None:
    assert len(lab.trust(PEM + trustme.CA().cert_pem.bytes()).fingerprints) == 2


def test_an_insecure_entry_goes_and_comes_back_where_the_ca_does_not_do(lab: Lab) -> None:
    lab.entries.write_text(f"other:1\n{A}\n")
    lab.put(CA, b"old")
    lab.engine.verdicts = [REFUSED, Verdict(Reach.ANSWERED)]
    with pytest.raises(EngineRefused, match="all is as it was"):
        lab.trust(force=True)
    assert (lab.entries.read_text(), lab.there) == (f"other:1\n{A}\n", {CA: b"old"})
    done = lab.trust(force=True)
    assert (lab.entries.read_text(), lab.there) == ("other:1\n", {CA: PEM})
    assert (done.removed_insecure, done.changed) == (True, True)


@pytest.mark.parametrize("devregs", [False, True], ids=["of somebody else", "of devreg"])
def test_an_entry_that_comes_back_is_whose_it_was(lab: Lab, devregs: bool) -> None:
    lab.entries.write_text(f"{A}\n")
    if devregs:
        TrustRecord(lab.state).note(lab.entries, added=(str(A),), removed=(), content=None)
    lab.engine.verdicts = [REFUSED, Verdict(Reach.ANSWERED)]
    with pytest.raises(EngineRefused):
        lab.trust()
    assert lab.entries.read_text() == f"{A}\n"
    assert TrustRecord(lab.state).added(lab.entries) == ((str(A),) if devregs else ())


def test_an_entry_that_cannot_come_back_is_told_of(lab: Lab) -> None:
    lab.entries.write_text(f"{A}\n")
    lab.engine.verdicts = [REFUSED]
    with pytest.raises(RollbackFailed) as caught:
        lab.trust()
    assert f"devreg trust {A}" in caught.value.hint
    assert lab.there == {}


def test_files_of_somebody_else_beside_an_insecure_entry_stay_theirs(lab: Lab) -> None:
    lab.entries.write_text(f"{A}\n")
    lab.put(CA, PEM)
    assert lab.trust().removed_insecure is True
    assert lab.untrust() is False
    assert lab.there == {CA: PEM}


def test_an_interruption_puts_everything_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.entries.write_text(f"{A}\n")
    lab.put(CA, b"old")

    def interrupted(address: Address) -> Verdict:
        assert not lab.entries.read_text()
        assert lab.there == {CA: PEM}
        monkeypatch.undo()
        monkeypatch.setattr(action, "state_folder", lambda: lab.state)
        raise KeyboardInterrupt(address)

    monkeypatch.setattr(lab.engine, "reaches", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lab.trust(force=True)
    assert (lab.entries.read_text(), lab.there) == (f"{A}\n", {CA: b"old"})
    assert lab.untrust() is False


def test_an_engine_that_refuses_leaves_nothing_behind(lab: Lab) -> None:
    lab.engine.verdicts = [REFUSED]
    with pytest.raises(EngineRefused):
        lab.trust()
    assert list(lab.certificates.glob("*")) == []
    assert lab.untrust() is False


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        (Tls.UNKNOWN_CA, "the file does not vouch"),
        (Tls.WRONG_NAME, "another name"),
        (Tls.EXPIRED, "expired"),
        (Tls.NOT_YET_VALID, "compare the clocks"),
        (Tls.PLAIN_HTTP, "plain HTTP"),
        (Tls.FAILED, "does not agree on TLS"),
    ],
)
def test_a_handshake_that_fails_keeps_everything_as_it_is(lab: Lab, tls: Tls, words: str) -> None:
    lab.shaken = Handshake(tls, "said so")
    with pytest.raises(RegistryUnreachable, match=words):
        lab.trust()
    assert not lab.certificates.exists()


def test_a_registry_that_hangs_up_may_want_a_clients_certificate(lab: Lab, pair: Pair) -> None:
    lab.shaken = Handshake(Tls.FAILED, "hung up")
    with pytest.raises(RegistryUnreachable) as without:
        lab.trust()
    with pytest.raises(RegistryUnreachable) as having:
        lab.trust(pair=pair)
    assert "--cert and --key" in without.value.hint
    assert "--cert" not in having.value.hint


def test_nobody_there_is_no_obstacle_but_no_proof(lab: Lab) -> None:
    lab.shaken = Handshake(Tls.NOBODY, "refused")
    lab.engine.verdicts = [Verdict(Reach.UNREACHABLE, "no such host")]
    assert lab.trust().verified is False
    assert lab.there == {CA: PEM}
    assert "could not be tried" in lab.warned
    assert "no such host" in lab.warned


def test_an_engine_that_does_not_look_at_the_ca_is_no_silent_success(lab: Lab) -> None:
    lab.engine.network = "the network 10.0.0.0/8"
    lab.trust()
    assert "trusts registry.example:5000 by the network 10.0.0.0/8 too" in lab.warned


def test_a_servers_own_certificate_is_refused_unless_it_was_fetched_by_its_fingerprint(lab: Lab) -> None:
    for content in (LEAF, PEM + LEAF):
        with pytest.raises(ConfigUnusable, match="no CA's"):
            lab.trust(content)
    assert not lab.certificates.exists()
    lab.grant(replace(CaWish(A, LEAF, "what it shows"), fetched=True))
    assert "fetch it again" in lab.warned


def test_files_of_somebody_else_are_not_written_over_without_force(lab: Lab) -> None:
    lab.put(CA, b"theirs")
    with pytest.raises(RefusedOverwrite):
        lab.trust()
    lab.trust(force=True)
    kept = lab.warned.rpartition("kept as ")[2].partition("\n")[0]
    assert Path(kept).read_bytes() == b"theirs"


def test_untrust_takes_away_what_devreg_has_put_there_and_nothing_else(lab: Lab, pair: Pair) -> None:
    lab.trust(pair=pair)
    lab.put("theirs.crt", PEM)
    lab.put(CERT, b"edited")
    assert lab.untrust() is True
    assert lab.there == {"theirs.crt": PEM, CERT: b"edited"}
    assert f"{CERT} was changed since" in lab.warned
    assert lab.untrust() is False


def test_a_kind_without_such_a_folder_is_told_what_to_do(lab: Lab) -> None:
    lab.flavour = replace(lab.flavour, certificates=None)
    with pytest.raises(ConfigUnusable) as caught:
        lab.trust()
    assert "update-ca-certificates" in caught.value.hint
    assert lab.untrust() is False


def test_what_is_installed_is_told_by_content_and_by_fingerprint(lab: Lab) -> None:
    commented = "# Főtanúsítvány\n".encode() + PEM
    assert not installed(lab.flavour, A, commented)
    lab.trust(commented)
    assert installed(lab.flavour, A, commented)
    assert installed(lab.flavour, A, fingerprint(der(PEM)))
    assert not installed(lab.flavour, A, "ab" * 32)
    lab.entries.write_text(f"{A}\n")
    assert not installed(lab.flavour, A, commented)


def test_fetch_takes_the_certificate_with_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    _, wanted, _ = shows(monkeypatch, LEAF, BELOW.cert_pem.bytes(), PEM)
    pairs = ":".join(wanted[at : at + 2] for at in range(0, 64, 2)).upper()
    for spelled in (wanted, pairs, f"sha256:{wanted}", f"SHA256:{pairs}"):
        assert der(fetch(A, spelled, timeout=1)) == der(BELOW.cert_pem.bytes())


def test_fetch_refuses_another_certificate_and_names_those_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = shows(monkeypatch, LEAF, PEM)
    with pytest.raises(EngineRefused) as caught:
        fetch(A, "ab" * 32, timeout=1)
    assert all(each in caught.value.message for each in seen)


def test_fetch_without_a_fingerprint_names_the_topmost_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, topmost = shows(monkeypatch, LEAF, BELOW.cert_pem.bytes(), PEM)
    with pytest.raises(UsageError) as caught:
        fetch(A, "", timeout=1)
    assert caught.value.message.endswith(f"shown now: {topmost}")
    assert "--ca FILE" not in caught.value.hint


def test_fetch_says_where_no_ca_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    (own,) = shows(monkeypatch, LEAF)
    with pytest.raises(UsageError) as caught:
        fetch(A, "", timeout=1)
    assert caught.value.message.endswith(own)
    assert "--ca FILE" in caught.value.hint


@pytest.mark.parametrize("wanted", ["ab", "sha1:" + "ab" * 20, "zz" * 32])
def test_fetch_refuses_what_is_no_fingerprint(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    shows(monkeypatch, PEM)
    with pytest.raises(UsageError, match="no SHA-256"):
        fetch(A, wanted, timeout=1)


def test_words_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    with pytest.raises(ConfigUnusable, match="does not exist"):
        asked(A, str(file), "", None, None, False, 1)
    file.write_bytes(PEM)
    assert asked(A, str(file), "", None, None, False, 1) == CaWish(A, PEM, str(file))
    with pytest.raises(UsageError, match="goes with its key"):
        asked(A, str(file), "", file, None, False, 1)
    with pytest.raises(UsageError, match="--ca fetch"):
        asked(A, str(file), "ab" * 32, None, None, False, 1)
