"""`devreg registry uninstall`: take away what `install` has put on this machine, and bring back what was there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devreg.actions.serving import install_change
from devreg.actions.serving.install import refuse_unfit
from devreg.actions.serving.install_change import Goal
from devreg.actions.serving.installed_files import go_by_files
from devreg.actions.serving.server_lock import server_locked
from devreg.engine import networks
from devreg.engine.client import Engine
from devreg.host import kept_files, system_nginx, system_units
from devreg.host.install_record import InstallRecord, Put
from devreg.host.kept_files import Kept
from devreg.host.state import state_folder
from devreg.model.events import Listener, Warn
from devreg.model.installed import Uninstalled
from devreg.server.targets import NETWORK, RULES_FILE, UNIT_FILE, USERS_FILE, VOLUME


def uninstall(engine: Engine, *, volumes: bool, listener: Listener) -> Uninstalled:
    """Take it away; with `volumes` the images in it and its users too. What somebody has edited stays.

    A call that fails leaves everything as it was. Raises ServerError, ConfigUnusable, RollbackFailed.
    """
    refuse_unfit(engine)
    record = InstallRecord(state_folder())
    with server_locked():
        install_change.recover(engine, record, listener)
        put = record.installed()
        if put is None:
            return Uninstalled()
        goal = Goal(_goals(put, volumes), put.before.unit)
        kept = [path for path in put.digests if path not in goal.files and path.exists()]
        gone: list[bool] = []

        def finish() -> None:
            if system_units.state(system_nginx.UNIT).active:
                go_by_files()
            if Path(UNIT_FILE) in goal.files:
                networks.remove_network(engine, NETWORK)
            if not goal.unit.active:
                # The last step: nothing brings a volume back.
                gone.append(volumes and networks.remove_volume(engine, VOLUME))

        install_change.carry_out(engine, goal, record, finish, lambda _before: None, listener)
    for path in kept:
        if str(path) != USERS_FILE:
            listener(Warn(f"{path} was edited since: it stays"))
    return Uninstalled(
        removed=tuple(str(path) for path, was in goal.files.items() if was is None),
        restored=tuple(str(path) for path, was in goal.files.items() if was is not None),
        kept=tuple(map(str, kept)),
        volume=any(gone),
        changed=True,
    )


def _goals(put: Put, volumes: bool) -> Mapping[Path, Kept | None]:
    """The files that go back to what they were. Those of users go with the images, and then however they changed."""
    goals: dict[Path, Kept | None] = {}
    # The rules are made from the users' file, again by the next install.
    if kept_files.look(Path(RULES_FILE)):
        goals[Path(RULES_FILE)] = None
    for path, digest in put.digests.items():
        was, now = put.before.files[path], kept_files.look(path)
        if now is None or path in goals:
            continue
        if str(path) == USERS_FILE:
            if volumes and (was is None or now.digest == digest):
                goals[path] = was
        elif now.digest == digest:
            goals[path] = was
    return goals
