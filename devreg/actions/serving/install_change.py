"""One change of what systemd and nginx run here: on record, made, proven; or else undone, all of it.

Not a refusal, not Ctrl-C and not kill -9 leaves half of it: after the last the next run undoes what the record tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from devreg.actions.serving.installed_files import go_by_files
from devreg.engine import networks
from devreg.engine.client import Engine
from devreg.host import files, kept_files, system_nginx, system_units
from devreg.host.install_record import Before, Change, InstallRecord, Put
from devreg.host.kept_files import Kept
from devreg.host.signals import uninterrupted
from devreg.host.system_units import UnitState
from devreg.model.errors import DevregError, RollbackFailed, ServerError
from devreg.model.events import Listener, Step, Warn
from devreg.server.targets import CONFIG, NETWORK, UNIT, VOLUME

# What the service goes by, beside its own file.
_OF_THE_SERVICE = (UNIT, Path(CONFIG).name)


@dataclass(frozen=True)
class Goal:
    """Files as they are to be, None for none; and how the service is to be."""

    files: Mapping[Path, Kept | None]
    unit: UnitState


def reached(goal: Goal) -> bool:
    """Whether everything is so already."""
    return (
        all(kept_files.look(path) == kept for path, kept in goal.files.items())
        and system_units.state(UNIT) == goal.unit
        and system_units.state(system_nginx.UNIT).active
    )


def carry_out(
    engine: Engine,
    goal: Goal,
    record: InstallRecord,
    prove: Callable[[], None],
    outcome: Callable[[Before], Put | None],
    listener: Listener,
) -> None:
    """Make the change, under the server's lock. `outcome`: what is installed then, told how the machine was before.

    Raises what `prove` and the programs raise, after everything is as it was; RollbackFailed where that failed too.
    """
    before = _before(engine, goal)
    change = Change(before, {path: None if kept is None else kept.digest for path, kept in goal.files.items()})
    with uninterrupted() as gate:
        record.begin(change)
        try:
            with gate.open():
                _make(engine, goal, listener)
                prove()
            record.settle(outcome(before))
        except BaseException as error:
            _undo(engine, change, error, listener)
            record.give_up()
            raise


def recover(engine: Engine, record: InstallRecord, listener: Listener) -> None:
    """Undo what a killed run has left, under the server's lock. Raises ConfigUnusable, RollbackFailed."""
    record.sweep()
    change = record.under_way()
    if change is None:
        return
    listener(Warn("an earlier run was interrupted: what it had begun is undone first"))
    with uninterrupted():
        for path in change.after:
            files.sweep(path)
        _undo(engine, change, InterruptedError("an earlier run was interrupted"), listener)
        record.give_up()


def _before(engine: Engine, goal: Goal) -> Before:
    return Before(
        files={path: kept_files.look(path) for path in goal.files},
        unit=system_units.state(UNIT),
        nginx=system_units.state(system_nginx.UNIT).active,
        volume=networks.has_volume(engine, VOLUME),
        network=networks.has_network(engine, NETWORK),
    )


def _make(engine: Engine, goal: Goal, listener: Listener) -> None:
    """Bring files and service to the goal. nginx has not read its files again afterwards."""
    anew = _put_in_place(goal, listener)
    system_nginx.check()
    if goal.unit.active:
        networks.ensure_volume(engine, VOLUME)
    _run(goal, anew, listener)


def _put_in_place(goal: Goal, listener: Listener) -> bool:
    """Write and remove files; whether the service has to start anew. One that is to end does so by its old file."""
    if not goal.unit.active:
        system_units.stop(UNIT)
    if not goal.unit.enabled:
        system_units.disable(UNIT)
    changed = [path for path, kept in goal.files.items() if kept_files.look(path) != kept]
    for path in changed:
        listener(Step(f"{'removing' if goal.files[path] is None else 'writing'} {path}"))
        kept_files.put(path, goal.files[path])
    return any(path.name in _OF_THE_SERVICE for path in changed)


def _run(goal: Goal, anew: bool, listener: Listener) -> None:
    system_units.reread()
    if goal.unit.enabled:
        system_units.enable(UNIT)
    if goal.unit.active and (anew or not system_units.state(UNIT).active):
        listener(Step(f"starting {UNIT}"))
        system_units.restart(UNIT)


def _undo(engine: Engine, change: Change, cause: BaseException, listener: Listener) -> None:
    before = change.before
    listener(Step("putting everything back as it was"))
    try:
        back = Goal(_ours(change, listener), before.unit)
        _run(back, _put_in_place(back, listener), listener)
        _undo_nginx(before, listener)
        if not before.network:
            networks.remove_network(engine, NETWORK)
        if not before.volume:
            networks.remove_volume(engine, VOLUME)
    except DevregError as second:
        raise RollbackFailed(
            f"{str(cause) or type(cause).__name__}; putting things back failed too: {second}",
            hint=f"mend that, then `devreg registry uninstall`; it has to do with {UNIT} and nginx only",
        ) from cause


def _undo_nginx(before: Before, listener: Listener) -> None:
    if not before.nginx:
        system_units.stop(system_nginx.UNIT)
        return
    try:
        system_nginx.check()
    except ServerError as error:
        listener(Warn(f"{error}; nginx runs on with what it read before"))
        return
    go_by_files()


def _ours(change: Change, listener: Listener) -> dict[Path, Kept | None]:
    """The files that have what devreg wrote, as they were. Others somebody else has changed since: theirs to keep."""
    back: dict[Path, Kept | None] = {}
    for path, was in change.before.files.items():
        now = kept_files.look(path)
        digest = None if now is None else now.digest
        if digest in (change.after[path], None if was is None else was.digest):
            back[path] = was
        else:
            listener(Warn(f"{path} was changed by somebody else meanwhile: it stays as it is"))
    return back
