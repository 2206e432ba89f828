"""trust --ca that is killed, or told to stop, at each of its changes of files: the next run ends in a right state."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from devreg.actions import trust_change
from devreg.actions.trust import Wish, carry_out
from devreg.actions.trust_ca import certified, untrust_ca
from devreg.host.certificate_folder import interrupted
from devreg.host.certificates import CA, CERT, KEY, Pair
from devreg.host.journal import Journal
from devreg.host.trust_record import TrustRecord
from devreg.model.address import Address
from devreg.model.errors import EngineRefused
from devreg.model.verdict import Reach, Verdict
from tests.unit.actions.test_trust_ca import LEAF, PEM, REFUSED, SECRET, A, Lab, lab, pair
from tests.unit.host.moments import at_each, kills

__all__ = ["lab", "pair"]

OTHER = Address.parse("other:1")
LISTED = f"{OTHER}\n{A}\n"
WHOLE = {CA: PEM, CERT: LEAF, KEY: SECRET}

Next = Callable[[Lab, Pair], object]


def untrust(lab: Lab, address: Address) -> None:
    """As the command does."""
    carry_out(lab.flavour, Wish((address,), trusted=False), listener=lab.heard.append, state=lab.state)
    untrust_ca(lab.flavour, address, listener=lab.heard.append, state=lab.state)


def reset(lab: Lab, entries: str) -> None:
    untrust(lab, A)
    lab.entries.write_text(entries)
    assert lab.there == {}


def nothing_is_left_over(lab: Lab) -> None:
    assert not Journal(lab.state).exists
    assert not interrupted(lab.state)
    files = [path.name for path in lab.state.parent.rglob("*") if path.is_file()]
    assert [name for name in files if name.endswith((".new", ".journal", "-journal.json"))] == []


def test_a_trust_of_another_that_changes_nothing_finds_what_was_left(
    lab: Lab, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.entries.write_text(f"{OTHER}\n")
    for number in kills(monkeypatch, lambda: lab.trust(pair=pair)):
        carry_out(lab.flavour, Wish((OTHER,)), listener=lab.heard.append, state=lab.state)
        assert (lab.there in ({}, WHOLE), interrupted(lab.state)) == (True, {}), number
        reset(lab, f"{OTHER}\n")


@pytest.mark.parametrize("entries", ["", LISTED], ids=["untrusted", "insecure"])
def test_killed_and_run_again(lab: Lab, pair: Pair, monkeypatch: pytest.MonkeyPatch, entries: str) -> None:
    lab.entries.write_text(entries)
    for number in kills(monkeypatch, lambda: lab.trust(pair=pair)):
        lab.trust(pair=pair)
        assert lab.there == WHOLE, number
        assert str(A) not in lab.entries.read_text(), number
        nothing_is_left_over(lab)
        reset(lab, entries)


@pytest.mark.parametrize(
    "then",
    [
        lambda lab, _: untrust(lab, OTHER),
        lambda lab, _: carry_out(lab.flavour, Wish((OTHER,), trusted=False), listener=print, state=lab.state),
    ],
    ids=["the command", "the list only"],
)
def test_killed_and_then_something_else(lab: Lab, pair: Pair, monkeypatch: pytest.MonkeyPatch, then: Next) -> None:
    """Either nothing has happened, or all of it."""
    lab.entries.write_text(LISTED)
    ends = []
    for number in kills(monkeypatch, lambda: lab.trust(pair=pair)):
        then(lab, pair)
        ends.append((lab.there, lab.entries.read_text()))
        nothing_is_left_over(lab)
        assert ends[-1] in (({}, f"{A}\n"), (WHOLE, "")), number
        reset(lab, LISTED)
    assert {bool(there) for there, _ in ends} == {True, False}
    assert len(ends) > 20


def test_killed_while_the_engine_stays_down(lab: Lab, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in kills(monkeypatch, lambda: lab.trust(pair=pair)):
        trust_change.recover(None, lab.state, lab.heard.append)
        assert lab.there in ({}, WHOLE), number
        nothing_is_left_over(lab)
        reset(lab, "")
    assert "what it had begun is undone first" in lab.warned


@pytest.mark.parametrize("then", ["again", "other", "undo"])
def test_untrust_killed(lab: Lab, pair: Pair, monkeypatch: pytest.MonkeyPatch, then: str) -> None:
    lab.trust(pair=pair)
    for number in kills(monkeypatch, lab.untrust):
        lab.entries.write_text(f"{OTHER}\n")
        for address in {"again": (A,), "other": (OTHER,), "undo": certified(lab.flavour, lab.state)}[then]:
            untrust(lab, address)
        nothing_is_left_over(lab)
        assert lab.there in ({}, WHOLE), number
        assert then == "other" or lab.there == {}, number
        lab.trust(pair=pair)


def test_a_way_back_that_is_killed_leaves_no_half(lab: Lab, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be that neither the entry nor the CA is there: then that is said."""

    def refused() -> None:
        lab.engine.verdicts = [REFUSED, Verdict(Reach.ANSWERED)]
        lab.heard.clear()
        with pytest.raises(EngineRefused):
            lab.trust(pair=pair)

    lab.entries.write_text(LISTED)
    for number in kills(monkeypatch, refused):
        untrust(lab, OTHER)
        nothing_is_left_over(lab)
        assert lab.there in ({}, WHOLE), number
        insecure = lab.entries.read_text() == f"{A}\n"
        assert bool(lab.there) + insecure + (f"`devreg trust {A}` does so again" in lab.warned) == 1, number
        reset(lab, LISTED)


def told_to_stop(number: int, *, impatient: bool) -> Callable[[int], None]:
    """Ctrl-C at a moment; `impatient`: and at all that follow."""

    def tell(now: int) -> None:
        if now == number or (impatient and now > number):
            os.kill(os.getpid(), signal.SIGINT)

    return tell


@pytest.mark.parametrize("impatient", [False, True], ids=["once", "again and again"])
def test_told_to_stop_at_any_moment(lab: Lab, pair: Pair, monkeypatch: pytest.MonkeyPatch, impatient: bool) -> None:
    moments: list[int] = []
    lab.entries.write_text(LISTED)
    at_each(monkeypatch, lambda: lab.trust(pair=pair), moments.append)
    for number in moments:
        reset(lab, LISTED)
        TrustRecord(lab.state).note(lab.entries, added=(str(A),), removed=(), content=None)
        with pytest.raises(KeyboardInterrupt):
            at_each(monkeypatch, lambda: lab.trust(pair=pair), told_to_stop(number, impatient=impatient))
        assert not Journal(lab.state).exists
        assert not interrupted(lab.state)
        assert (lab.there, lab.entries.read_text()) in (({}, LISTED), (WHOLE, f"{OTHER}\n")), number
        added = TrustRecord(lab.state).added(lab.entries)
        assert added == (() if lab.there else (str(A),)), number


def test_untrust_told_to_stop_is_done_first(lab: Lab, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    moments: list[int] = []
    lab.trust(pair=pair)
    at_each(monkeypatch, lab.untrust, moments.append)
    for number in moments:
        lab.trust(pair=pair)
        with pytest.raises(KeyboardInterrupt):
            at_each(monkeypatch, lab.untrust, told_to_stop(number, impatient=True))
        assert (lab.there, interrupted(lab.state)) == ({}, {}), number
