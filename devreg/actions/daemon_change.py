"""One change of daemon.json: backed up, written, applied, proven on the live engine; or else undone.

Nothing after the first write ends without the engine in a known state, Ctrl-C included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devreg.actions.daemon_target import Target, locate
from devreg.engine.client import Engine
from devreg.host import files, services
from devreg.host.services import ServiceFailed
from devreg.host.signals import uninterrupted
from devreg.model import daemon_json
from devreg.model.engine import EngineInfo
from devreg.model.errors import DevregError, EngineRefused, RollbackFailed
from devreg.model.events import Listener, Step

# A reload shows within 0.3 s (measured on engine 20.10 and 28.5); a busy machine gets more.
_PROOF_SECONDS = 10.0
_POLL_SECONDS = 0.1

# The engine trusts these of itself; they are in no daemon.json.
_BUILT_IN_NETWORKS = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class Change:
    """What to write (`after`) over what is there (`before`, None for no file), and how one sees that it works."""

    before: bytes | None
    after: bytes
    proof: Callable[[EngineInfo], bool]
    restart: bool


def carry_out(engine: Engine, target: Target, change: Change, backups: Path, listener: Listener) -> Path | None:
    """Make the change. Returns the backup's path, None when there was nothing to back up.

    Raises ConfigUnusable when the file cannot be written, EngineRefused when the engine does not take the change (all
    is as before then), RollbackFailed when putting it back failed too.
    """
    file = target.dockerd.config_file
    written = change.after != (change.before or b"")
    backup = files.backup(file, backups) if written and change.before is not None else None
    try:
        if written:
            listener(Step(f"writing {file}"))
            files.write_atomic(file, change.after)
        _apply(engine, target, change, listener)
    except BaseException as error:
        with uninterrupted():
            _undo(engine, target, change, backup, error, listener)
        if isinstance(error, ServiceFailed | EngineRefused):
            kept = "" if not written else f"; {file} and Docker are as they were"
            raise EngineRefused(f"{error}{kept}", hint=_where_to_look(target)) from error
        raise
    return backup


def _apply(engine: Engine, target: Target, change: Change, listener: Listener) -> None:
    """Reload, then restart if asked to. The reload comes first there too: a file that Docker refuses, for whatever
    reason, shows while Docker still runs."""
    if not target.reload_loses_list:
        listener(Step("reloading Docker"))
        if not _await(engine.ping):  # a SIGHUP would kill a dockerd that is still starting
            raise EngineRefused("Docker does not answer, so it cannot be reloaded", hint="is it still starting?")
        services.reload(target.dockerd)
        _prove(engine, change.proof, "Docker did not take it")
    if change.restart:
        listener(Step("restarting Docker"))
        services.restart(target.dockerd, engine.ping)
        _prove(engine, change.proof, "Docker did not take it")


def _prove(engine: Engine, proof: Callable[[EngineInfo], bool], complaint: str) -> None:
    def holds() -> bool:
        try:
            return proof(engine.info())
        except DevregError:  # it may be starting
            return False

    if not _await(holds):
        raise EngineRefused(
            f"{complaint}: its list shows no effect after {_PROOF_SECONDS:g} s", hint="look into dockerd's log"
        )


def _await(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PROOF_SECONDS
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _undo(
    engine: Engine, target: Target, change: Change, backup: Path | None, cause: BaseException, listener: Listener
) -> None:
    file = target.dockerd.config_file
    try:
        if written := files.read(file) != change.before:
            listener(Step(f"putting {file} back"))
            if not target.reload_loses_list and engine.ping():
                _restore_live(engine, target, change)
            put_back(file, change.before)
        up = engine.ping()
        if not up or (written and target.reload_loses_list):
            listener(Step("restarting Docker"))
            services.restart(locate(engine).dockerd if up else target.dockerd, engine.ping)
        if written:
            _prove_as_before(engine, target)
    except (DevregError, ServiceFailed) as second:
        source = f"sudo cp {backup} {file}" if backup else f"sudo rm -f {file}"
        raise RollbackFailed(
            f"{str(cause) or type(cause).__name__}; putting things back failed too: {second}",
            hint=f"by hand: {source}; {services.restart_commands(target.dockerd)}",
        ) from cause


def _restore_live(engine: Engine, target: Target, change: Change) -> None:
    """Give the running engine its old list. A reload acts only on keys that are there (measured), so it takes a file
    that spells the old list out, even when the original has none."""
    text = daemon_json.decode(change.before or b"", str(target.dockerd.config_file))
    old = sorted(_live_list(target.info))
    try:
        files.write_atomic(target.dockerd.config_file, daemon_json.with_list(text, old).encode())
        services.reload(locate(engine).dockerd)  # by now it may have been restarted
        _prove_as_before(engine, target)
    finally:
        put_back(target.dockerd.config_file, change.before)


def _prove_as_before(engine: Engine, target: Target) -> None:
    old = _live_list(target.info)
    _prove(engine, lambda info: _live_list(info) == old, "Docker did not go back")


def put_back(file: Path, before: bytes | None) -> None:
    """Give `file` the content that it had, None for no file. Raises ConfigUnusable."""
    if before is None:
        files.remove(file)
    else:
        files.write_atomic(file, before)


def _live_list(info: EngineInfo) -> frozenset[str]:
    """What somebody told this engine to trust."""
    return frozenset((*info.insecure, *info.insecure_cidrs)) - frozenset(_BUILT_IN_NETWORKS)


def _where_to_look(target: Target) -> str:
    if target.dockerd.unit:
        return f"`journalctl -u {target.dockerd.unit} -n 20` shows why"
    log = target.dockerd.launch.log if target.dockerd.launch else "where its service writes it"
    return f"dockerd's log shows why ({log})"
