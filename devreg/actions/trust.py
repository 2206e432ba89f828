"""`devreg trust` and `devreg untrust`: an address in the engine's list of insecure registries, proven live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devreg.actions.daemon_change import Change, carry_out, put_back
from devreg.actions.daemon_target import FLAVOUR, Target, locate
from devreg.engine.client import Engine
from devreg.host import files
from devreg.host.state import state_folder
from devreg.model import daemon_json
from devreg.model.address import Address
from devreg.model.engine import EngineInfo, RunningContainer
from devreg.model.errors import ConfigUnusable, DevregError, EngineRefused, UsageError
from devreg.model.events import Listener, Warn
from devreg.model.insecure_entry import accepted, has_entry, lint
from devreg.model.results import Trusted

_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True)
class Plan:
    """What `trust` or `untrust` would do. `changed` False: nothing. `stops`: running containers that a restart would
    stop; `needs_restart`: a reload is known not to do on this engine."""

    address: str
    flavour: str
    file: str
    changed: bool
    needs_restart: bool
    stops: tuple[RunningContainer, ...]


@dataclass(frozen=True)
class _View:
    """An address as the file and the live engine have it. `network`: the trusted network that the address is in."""

    target: Target
    entry: str
    before: bytes | None
    text: str
    listed: bool
    live: bool
    network: str | None

    @property
    def file(self) -> Path:
        return self.target.dockerd.config_file

    @property
    def by_flag(self) -> bool:
        return has_entry(self.target.dockerd.flags, self.entry)

    def settled(self, trusted: bool) -> bool:
        """Whether everything is as it should be already."""
        if trusted and (self.network or (self.by_flag and self.live)):
            return True
        return self.listed is trusted and self.live is trusted


def plan(engine: Engine, address: Address, *, trusted: bool = True) -> Plan:
    """What it would take to have `address` trusted, or not. Reads only. Raises as `trust` does, but needs no root."""
    view = _look(engine, address)
    info = view.target.info
    return Plan(
        address=view.entry,
        flavour=FLAVOUR,
        file=str(view.file),
        changed=not view.settled(trusted),
        needs_restart=view.target.reload_loses_list,
        stops=_stopped_by_restart(engine, info),
    )


def trust(engine: Engine, address: Address, *, restart: bool, listener: Listener, state: Path | None = None) -> Trusted:
    """Have the engine use plain HTTP or unverified TLS for `address`.

    `restart`: restart Docker instead of reloading it. `state`: the folder for lock and backups, /var/lib/devreg.
    Raises ConfigUnusable (an engine or file that cannot be changed: nothing was), EngineRefused (undone),
    RollbackFailed (undoing failed too), EngineUnreachable.
    """
    return _bring_about(
        engine, address, trusted=True, restart=restart, state=state or state_folder(), listener=listener
    )


def untrust(
    engine: Engine, address: Address, *, restart: bool, listener: Listener, state: Path | None = None
) -> Trusted:
    """The opposite of `trust`, with the same arguments and errors. A list that gets empty leaves with its key."""
    return _bring_about(
        engine, address, trusted=False, restart=restart, state=state or state_folder(), listener=listener
    )


def _bring_about(
    engine: Engine, address: Address, *, trusted: bool, restart: bool, state: Path, listener: Listener
) -> Trusted:
    view = _look(engine, address)
    if not trusted and view.network:
        listener(Warn(f"{view.entry} stays trusted as a part of the network {view.network}"))
    if view.settled(trusted):
        return _result(view, "none", changed=False)
    if not files.is_root():
        raise ConfigUnusable(f"changing {view.file} takes root", hint="run the command again with sudo")
    with files.locked(state / "daemon.json.lock"):
        view = _look(engine, address)  # another devreg may have been at it
        if view.settled(trusted):
            return _result(view, "none", changed=False)
        _refuse_hopeless(view, restart)
        if trusted and not accepted(view.entry):
            raise UsageError(f"engines refuse {view.entry} in their list", hint=f"add the port: {view.entry}:5000")
        return _change(engine, view, trusted=trusted, restart=restart, state=state, listener=listener)


def _look(engine: Engine, address: Address) -> _View:
    target = locate(engine)
    file = target.dockerd.config_file
    before = files.read(file)
    text = daemon_json.decode(before or b"", str(file))
    listed = daemon_json.entries(daemon_json.parse(text, str(file)))
    # What is in the live list this engine evidently takes: 26.1 knows a spelling that 20.10 refuses (`[::1]`).
    lint([entry for entry in listed if entry not in target.info.insecure], str(file))
    return _View(
        target=target,
        entry=str(address),
        before=before,
        text=text,
        listed=has_entry(listed, str(address)),
        live=str(address) in target.info.insecure,
        network=target.info.trusted_network(address),
    )


def _change(engine: Engine, view: _View, *, trusted: bool, restart: bool, state: Path, listener: Listener) -> Trusted:
    if trusted:
        after = daemon_json.with_entry(view.text, view.entry)
    else:
        after = _spelled_out(daemon_json.without_entry(view.text, view.entry))
    change = Change(
        before=view.before,
        after=after.encode(),
        proof=lambda info: (view.entry in info.insecure) is trusted,
        restart=restart,
    )
    stops = tuple(container.name for container in _stopped_by_restart(engine, view.target.info)) if restart else ()
    if trusted:
        listener(Warn("where a registry speaks plain HTTP, passwords and images cross the network in the clear"))
    backup = carry_out(engine, view.target, change, state / "backups", listener)
    if not trusted:
        _tidy(view, after, listener)
    return _result(view, "restart" if restart else "reload", changed=True, backup=backup, stopped=stops)


def _spelled_out(text: str) -> str:
    """`text` with the list in it: a reload acts only on keys that are there, so dropping the last entry takes `[]`."""
    return text if daemon_json.KEY in daemon_json.parse(text) else daemon_json.with_list(text, [])


def _tidy(view: _View, after: str, listener: Listener) -> None:
    """Take the emptied list out of the file. The running engine keeps its empty list, and a restart gives the same."""
    if daemon_json.entries(daemon_json.parse(after)):
        return
    had_key = daemon_json.KEY in daemon_json.parse(view.text)
    try:
        put_back(view.file, daemon_json.without_key(after).encode() if had_key else view.before)
    except DevregError as error:
        listener(Warn(f"an empty insecure-registries list stays in {view.file}, which is harmless: {error}"))


def _refuse_hopeless(view: _View, restart: bool) -> None:
    """Refuse before the first write what is known to fail."""
    if view.entry in _HUB:
        raise ConfigUnusable(
            f"{view.entry} is Docker's hub: engines never use it without TLS", hint="name a registry of your own"
        )
    dockerd = view.target.dockerd
    if dockerd.flags:
        where = f"`systemctl edit --full {dockerd.unit}`" if dockerd.unit else "where dockerd is started"
        raise ConfigUnusable(
            "dockerd runs with --insecure-registry flags: with the list in daemon.json too it would not start again",
            hint=f"change the flags {where}, or move their values to {view.file}",
        )
    if restart and not dockerd.restartable:
        raise EngineRefused(
            f"dockerd (process {dockerd.pid}) has a parent that may watch over it: devreg does not restart it",
            hint="leave out --restart: a reload stops no container; or restart it where it is managed",
        )
    if not restart and view.target.reload_loses_list:
        raise EngineRefused(
            f"Docker {view.target.info.version} with registry mirrors loses its list on a reload (moby#45552)",
            hint="run the command again with --restart, or update Docker",
        )


def _stopped_by_restart(engine: Engine, info: EngineInfo) -> tuple[RunningContainer, ...]:
    return () if info.live_restore else engine.running()


def _result(
    view: _View,
    applied: Literal["reload", "restart", "none"],
    *,
    changed: bool,
    backup: Path | None = None,
    stopped: tuple[str, ...] = (),
) -> Trusted:
    return Trusted(
        address=view.entry,
        flavour=FLAVOUR,
        file=str(view.file),
        applied=applied,
        verified=True,
        changed=changed,
        backup=str(backup) if backup else None,
        stopped=stopped,
    )
