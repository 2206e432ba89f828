"""One change of what an engine trusts: recorded, backed up, written, applied, proven live; or else undone.

Nothing after the first write ends without the engine in a known state: not a refusal, not Ctrl-C, and not kill -9,
after which the next run finds the journal and completes or undoes what was begun.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from devreg.flavours.flavour import Flavour
from devreg.host import certificate_folder, files
from devreg.host import edits as change
from devreg.host.edits import Edit
from devreg.host.journal import Entry, Journal
from devreg.host.services import ServiceFailed
from devreg.host.signals import uninterrupted
from devreg.host.trust_record import TrustRecord
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable, DevregError, EngineRefused, EngineUnreachable, RollbackFailed
from devreg.model.events import Listener, Step, Warn, silent
from devreg.model.insecure_entry import has_entry
from devreg.model.verdict import Reach, Verdict

_BACKUPS = "backups"
_PROOF_SECONDS = 10.0
_CONTAINER_SECONDS = 60.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Goal:
    """What is to be trusted, and what no longer. `restart`: restart the engine even where a reload would do."""

    add: tuple[Address, ...]
    remove: tuple[Address, ...]
    restart: bool


@dataclass(frozen=True)
class Outcome:
    """What a change left: the copies of the files before, and how far the engine got to each added registry."""

    backups: tuple[Path, ...]
    verdicts: tuple[tuple[Address, Verdict], ...]


def carry_out(flavour: Flavour, goal: Goal, edits: Sequence[Edit], state: Path, listener: Listener) -> Outcome:
    """Make the change, under the lock. `edits` may be () where the files are right and the engine is not.

    Raises ConfigUnusable when a file cannot be written, EngineRefused when the engine does not take the change (all is
    as before then), RollbackFailed when putting it back failed too.
    """
    journal, ran = Journal(state), _running(flavour)
    entry = Entry(
        flavour=flavour.name,
        edits=tuple(edits),
        undoing=flavour.files.undoing(edits),
        added=tuple(map(str, goal.add)),
        removed=tuple(map(str, goal.remove)),
        live=_live(flavour),
    )
    backups = _back_up(edits, state / _BACKUPS)
    with uninterrupted() as gate:
        journal.begin(entry)
        try:
            with gate.open():
                for edit in edits:
                    listener(Step(f"writing {edit.path}"))
                change.write(edits)
                verdicts = _apply(flavour, goal, ran, listener)
            journal.prove(entry)
        except BaseException as error:
            _undo(flavour, entry, ran, backups, error, listener)
            _note_back(entry, state)
            journal.end()
            if isinstance(error, ServiceFailed | EngineRefused | EngineUnreachable):
                kept = _how_it_is(entry)
                raise EngineRefused(f"{error}{kept}", hint=f"look into {flavour.service.log}") from error
            raise
        complete(entry, state, listener)
    return Outcome(backups, verdicts)


def complete(entry: Entry, state: Path, listener: Listener) -> None:
    """The last steps of a proven change; all of them can be done twice. Never raises: the engine has taken it."""
    record = TrustRecord(state)
    try:
        change.settle(entry.edits)
        for edit in entry.edits:
            record.note(edit.path, added=entry.added, removed=entry.removed, content=files.read(edit.path))
        Journal(state).end()
    except ConfigUnusable as error:
        listener(Warn(f"the change is in force, but not all of its traces are tidied up: {error}"))


def recover(flavour: Flavour | None, state: Path, listener: Listener) -> None:
    """Complete or undo what killed runs have left, under the lock. Raises as `carry_out` does.

    Without a `flavour`, while no engine answers, only the files get their old content: it reads them when it starts.
    """

    def lists(registry: str, file: Path) -> bool | None:
        if flavour is None or flavour.files.path != file:
            return None
        return flavour.files.lists(Address.parse(registry))

    with uninterrupted():
        _recover_list(flavour, state, listener)
        certificate_folder.recover(state, lists, listener)


def _recover_list(flavour: Flavour | None, state: Path, listener: Listener) -> None:
    journal = Journal(state)
    journal.sweep()
    if flavour is not None:
        for path in (flavour.files.path, state / _BACKUPS / flavour.files.path.name):
            files.sweep(path)
    entry = journal.interrupted()
    if entry is None:
        return
    if entry.proven:
        complete(entry, state, listener)
        return
    listener(Warn("an earlier run was interrupted: what it had begun is undone first"))
    if flavour is None or not _belongs(entry, flavour):
        _put_files_back(entry, listener)
    else:
        _undo(flavour, entry, _running(flavour), (), InterruptedError("an earlier run was interrupted"), listener)
        _note_back(entry, state)
    journal.end()


def _belongs(entry: Entry, flavour: Flavour) -> bool:
    """Whether a change was of this very engine's files: a machine may have several engines of one kind."""
    place = flavour.files.path
    return entry.flavour == flavour.name and all(place in (edit.path, *edit.path.parents) for edit in entry.edits)


def _put_files_back(entry: Entry, listener: Listener) -> None:
    """Give each file its old content, unless somebody else has changed it since. Raises ConfigUnusable."""
    for edit in _ours(entry, listener):
        change.put(edit, edit.after)
        listener(Warn(f"{edit.path} is back as it was before an interrupted run"))


def _apply(
    flavour: Flavour, goal: Goal, ran: frozenset[str], listener: Listener
) -> tuple[tuple[Address, Verdict], ...]:
    """A reload comes first even where a restart is asked for: a file that the engine refuses, for whatever reason,
    shows while it still runs."""
    service = flavour.service
    if service.applies == "reload":
        listener(Step("reloading the engine"))
        service.reload()
        _prove(flavour, goal)
    if goal.restart or service.applies == "restart":
        listener(Step("restarting the engine"))
        service.restart()
        _prove(flavour, goal)
        _await_containers(flavour, ran, listener)
    return tuple((address, _reached(flavour, address)) for address in goal.add)


def _prove(flavour: Flavour, goal: Goal) -> None:
    def holds() -> bool:
        live = flavour.witness.live()
        return live is None or (
            all(has_entry(live, str(address)) for address in goal.add)
            and not any(has_entry(live, str(address)) for address in goal.remove)
        )

    if not _await(holds, _PROOF_SECONDS):
        raise EngineRefused(
            f"the engine did not take it: its list shows no effect after {_PROOF_SECONDS:g} s",
            hint=f"look into {flavour.service.log}",
        )


def _reached(flavour: Flavour, address: Address) -> Verdict:
    """How far the engine gets. Raises EngineRefused when it still does not accept the registry's connection."""
    verdict = flavour.witness.reaches(address)
    if verdict.reach is Reach.REFUSED:
        raise EngineRefused(
            f"the engine lists {address}, but does not get through to it: {verdict.words}",
            hint="find out what the registry speaks: a pull would fail just so",
        )
    return verdict


def _undo(
    flavour: Flavour,
    entry: Entry,
    ran: frozenset[str],
    backups: Sequence[Path],
    cause: BaseException,
    listener: Listener,
) -> None:
    service = flavour.service
    try:
        back = _ours(entry, listener)
        wrong = bool(back) and not (service.answers() and _as_before(flavour, entry, back))
        if wrong:
            listener(Step(f"putting {flavour.files.path} back"))
            _undo_live(flavour, back)
        if not service.answers() or (wrong and service.applies == "restart"):
            listener(Step("restarting the engine"))
            service.restart()
            _await_containers(flavour, ran, listener)
        if wrong and not _await(lambda: _as_before(flavour, entry, _ours(entry, silent)), _PROOF_SECONDS):
            raise EngineRefused("the engine did not go back", hint=f"look into {service.log}")
    except (DevregError, ServiceFailed) as second:
        raise RollbackFailed(
            f"{str(cause) or type(cause).__name__}; putting things back failed too: {second}",
            hint=f"by hand: {'; '.join((*_by_hand(entry, backups), service.by_hand))}",
        ) from cause


def _note_back(entry: Entry, state: Path) -> None:
    """Remember the content that was put back: its file is newer than the engine's last reload, and yet in force."""
    record = TrustRecord(state)
    for edit in entry.edits:
        if edit.before is not None and files.read(edit.path) == edit.before:
            record.note(edit.path, added=(), removed=(), content=edit.before)


def _how_it_is(entry: Entry) -> str:
    """What to say of the files after an undo."""
    left = [str(edit.path) for edit in entry.edits if files.read(edit.path) != edit.before]
    if left:
        return f"; the engine was told to go back, but {', '.join(left)} is not as before: look at it"
    return (
        f"; {', '.join(str(edit.path) for edit in entry.edits)} and the engine are as they were" if entry.edits else ""
    )


def _as_before(flavour: Flavour, entry: Entry, back: Sequence[Edit]) -> bool:
    """Whether the files have their old content, and the engine goes by it."""
    if any(edit.before != edit.after for edit in back):
        return False
    live, before = flavour.witness.live(), entry.live
    if live is None or before is None:
        return True
    return live.issuperset(before) and not any(each in live for each in entry.added if each not in before)


def _live(flavour: Flavour) -> tuple[str, ...] | None:
    live = flavour.witness.live()
    return None if live is None else tuple(sorted(live))


def _undo_live(flavour: Flavour, back: Sequence[Edit]) -> None:
    """The two steps back: the old list spelled out for the running engine, then the old bytes, whatever happens.

    An engine that does not take the first step may never have taken the change: what counts is how it is afterwards.
    """
    try:
        if flavour.service.applies == "reload" and flavour.service.answers():
            change.write(back)
            with suppress(ServiceFailed, DevregError):
                flavour.service.reload()
    finally:
        for edit in back:
            if files.read(edit.path) != edit.after:
                change.put(edit, edit.after)


def _ours(entry: Entry, listener: Listener) -> tuple[Edit, ...]:
    """The way back for the files that have what devreg wrote, or not yet wrote. The others somebody else has changed
    since: theirs to keep."""
    back = []
    for edit, undo in zip(entry.edits, entry.undoing, strict=True):
        now = files.read(edit.path)
        if now in (edit.before, edit.read, edit.after, undo.read):
            back.append(replace(undo, before=now, after=edit.before))
        else:
            listener(Warn(f"{edit.path} was changed by somebody else meanwhile: it stays as it is"))
    return tuple(back)


def _back_up(edits: Sequence[Edit], folder: Path) -> tuple[Path, ...]:
    return tuple(files.backup(edit.path, folder) for edit in edits if edit.before is not None)


def _by_hand(entry: Entry, backups: Sequence[Path]) -> list[str]:
    copies = dict(zip((edit.path for edit in entry.edits if edit.before is not None), backups, strict=False))
    return [
        f"sudo cp {copies[edit.path]} {edit.path}" if edit.path in copies else f"sudo rm -f {edit.path}"
        for edit in entry.edits
        if edit.before is None or edit.path in copies
    ]


def _running(flavour: Flavour) -> frozenset[str]:
    """The containers that run and that a restarted engine starts again by itself."""
    if not flavour.service.answers():
        return frozenset()
    return frozenset(container.name for container in flavour.witness.stops() if container.comes_back)


def _await_containers(flavour: Flavour, ran: frozenset[str], listener: Listener) -> None:
    def missing() -> frozenset[str]:
        return ran - frozenset(container.name for container in flavour.witness.stops())

    if ran and not _await(lambda: not missing(), _CONTAINER_SECONDS):
        listener(Warn(f"ran before the restart and do not run now: {', '.join(sorted(missing()))}"))


def _await(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if done():
                return True
        except DevregError:  # it may be starting
            pass
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
