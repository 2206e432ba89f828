"""`devreg trust` and `devreg untrust`: addresses in an engine's list of insecure registries, proven live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devreg.flavours.flavour import Applied, Flavour
from devreg.host import files
from devreg.host.edits import Edit
from devreg.host.journal import Journal
from devreg.host.state import state_folder
from devreg.host.trust_record import TrustRecord
from devreg.model.address import Address
from devreg.model.engine import RunningContainer
from devreg.model.errors import ConfigUnusable
from devreg.model.events import Listener, Step, Warn
from devreg.model.insecure_entry import has_entry
from devreg.model.results import Probe, Trusted
from devreg.model.verdict import Reach, Verdict

LOCK = "daemon.json.lock"
_LOCK_SECONDS = 600  # many at once wait for one another, each for its proof
_DOUBTS = {
    Reach.UNREACHABLE.value: "could not reach it to try",
    Reach.STRANGER.value: "what answers there is no registry: a pull will fail",
}


@dataclass(frozen=True)
class Wish:
    """What a user asks for. `trusted`: whether `addresses` are to be trusted, or not. `restart`: even where a reload
    would do. `force`: bring along what others have changed and the engine has not read yet."""

    addresses: tuple[Address, ...]
    trusted: bool = True
    restart: bool = False
    force: bool = False


@dataclass(frozen=True)
class Plan:
    """What a wish takes. `todo`: the addresses that are not as wished yet. `stops`: the containers that it stops."""

    flavour: str
    file: str
    todo: tuple[Address, ...]
    edits: tuple[Edit, ...]
    applied: Applied
    stops: tuple[RunningContainer, ...]
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.todo)

    @property
    def diff(self) -> str:
        """The change as a unified diff; empty where no file changes."""
        return "".join(_diff(edit) for edit in self.edits)


def plan(flavour: Flavour, wish: Wish) -> Plan:
    """What it would take. Reads only, and needs no root.

    Raises ConfigUnusable for files that cannot be changed, with line and column; EngineRefused for what is known to
    fail; UsageError for an address that engines cannot list; EngineUnreachable.
    """
    notes = []
    todo = []
    for address in wish.addresses:
        covered = flavour.witness.covers(address)
        if covered and not wish.trusted:
            notes.append(f"{address} stays trusted by {covered}")
        if not _settled(flavour, address, wish.trusted, covered):
            todo.append(address)
    edits = flavour.files.edits(todo, ()) if wish.trusted else flavour.files.edits((), todo)
    restart = restarts(flavour, wish)
    if todo:
        flavour.preflight(edits, restart=restart, force=wish.force)
    return Plan(
        flavour=flavour.name,
        file=str(edits[0].path if edits else flavour.files.path),
        todo=tuple(todo),
        edits=edits,
        applied="none" if not todo else "restart" if restart else flavour.service.applies,
        stops=flavour.witness.stops() if todo and restart else (),
        notes=tuple(notes),
    )


def carry_out(flavour: Flavour, wish: Wish, *, listener: Listener, state: Path | None = None) -> Trusted:
    """Bring a wish about. `state`: the folder for lock, journal, backups and record; root's is /var/lib/devreg.

    Raises as `plan` does; RollbackFailed; and ConfigUnusable where this user may not change the file.
    """
    folder, asked = state or state_folder(), wish
    if not Journal(folder).exists:
        # Without the lock another devreg's change may be half made: whether one of others is pending shows under it.
        first = plan(flavour, replace(wish, force=True))
        if not first.changed:
            return _told(planned(first, asked), first.notes, listener)
        refuse_without_rights(first)
        wish = _useful(flavour, wish, first, listener)
    from devreg.actions import trust_change

    with files.locked(folder / LOCK, seconds=_LOCK_SECONDS):
        trust_change.recover(flavour, folder, listener)
        now = plan(flavour, wish)  # another devreg may have been at it
        if not now.changed:
            return _told(planned(now, asked), now.notes, listener)
        goal = trust_change.Goal(
            add=now.todo if wish.trusted else (),
            remove=() if wish.trusted else now.todo,
            restart=now.applied == "restart",
        )
        if wish.trusted:
            listener(Warn("where a registry speaks plain HTTP, passwords and images cross the network in the clear"))
        outcome = trust_change.carry_out(flavour, goal, now.edits, folder, listener)
    return _told(_result(now, asked, outcome.backups, outcome.verdicts), now.notes, listener)


def without_ca(flavour: Flavour, wish: Wish, done: Trusted, *, everything: bool, listener: Listener) -> Trusted:
    """Take away the certificates too that devreg has put there for registries that are no longer to be trusted, or for
    any registry where `everything` goes. Raises ConfigUnusable."""
    from devreg.actions.trust_ca import certified, untrust_ca

    asked = (*wish.addresses, *(certified(flavour) if everything else ()))
    removed = [each for each in dict.fromkeys(asked) if untrust_ca(flavour, each, listener=listener)]
    for address in removed:
        listener(Step(f"the CA of {address} is removed"))
    addresses = tuple(dict.fromkeys((*done.addresses, *map(str, removed))))
    return replace(done, addresses=addresses, changed=done.changed or bool(removed))


def _useful(flavour: Flavour, wish: Wish, found: Plan, listener: Listener) -> Wish:
    """The wish without the registries that need no trust, since they speak TLS that is verified anyway."""
    if wish.force or not wish.trusted:
        return wish
    from devreg.actions.trust_advice import needed

    useful = tuple(each for each in wish.addresses if each not in found.todo or needed(flavour, each, listener))
    return replace(wish, addresses=useful)


def restarts(flavour: Flavour, wish: Wish) -> bool:
    """Whether a change would restart the engine: because the user asks, or because nothing milder does."""
    return wish.restart or flavour.service.applies == "restart"


def undoing(flavour: Flavour, wish: Wish, state: Path | None = None) -> Wish:
    """The wish that takes away what devreg has added to this engine's files, and nothing else."""
    record = TrustRecord(state or state_folder())
    added = (Address.parse(each) for path in record.paths() for each in record.added(path))
    addresses = tuple(address for address in dict.fromkeys(added) if flavour.files.lists(address))
    return replace(wish, addresses=addresses, trusted=False)


def planned(found: Plan, wish: Wish) -> Trusted:
    """What a plan would do, as a result: `verified` only where there is nothing to do, since nothing else was tried."""
    return replace(_result(found, wish, (), ()), verified=not found.changed)


def refuse_without_rights(found: Plan) -> None:
    """Raise ConfigUnusable where this user may not write the files of a plan."""
    if not files.is_root() and not all(files.may_write(edit.path) for edit in found.edits):
        raise ConfigUnusable(f"changing {found.file} takes root", hint="run the command again with sudo")


def _told(done: Trusted, notes: Sequence[str], listener: Listener) -> Trusted:
    for note in notes:
        listener(Warn(note))
    for probe in done.probes:
        if probe.reach in _DOUBTS:
            listener(Warn(f"the engine trusts {probe.address}, but {_DOUBTS[probe.reach]}: {probe.words}"))
    return done


def _result(found: Plan, wish: Wish, backups: Sequence[Path], verdicts: Sequence[tuple[Address, Verdict]]) -> Trusted:
    return Trusted(
        address=str(wish.addresses[0]) if wish.addresses else "",
        addresses=tuple(map(str, wish.addresses)),
        flavour=found.flavour,
        file=found.file,
        applied=found.applied,
        verified=not any(verdict.reach is Reach.STRANGER for _, verdict in verdicts),
        changed=found.changed,
        backup=str(backups[0]) if backups else None,
        stopped=tuple(container.name for container in found.stops),
        probes=tuple(Probe(str(address), verdict.reach.value, verdict.words) for address, verdict in verdicts),
    )


def _settled(flavour: Flavour, address: Address, trusted: bool, covered: str | None) -> bool:
    """Whether an address is as it should be already, in the file and in the engine."""
    listed = flavour.files.lists(address)
    if trusted and covered:
        return True
    live = flavour.witness.live()
    alive = listed if live is None else has_entry(live, str(address))
    return listed is trusted and alive is trusted


def _diff(edit: Edit) -> str:
    import difflib

    before, after = (
        (content or b"").decode(errors="replace").splitlines(keepends=True) for content in (edit.before, edit.after)
    )
    lines = difflib.unified_diff(before, after, str(edit.path), str(edit.path))
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
