"""Docker on Linux, run by an ordinary user: a daemon.json in that user's home, and no root needed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from devreg.engine.client import Engine
from devreg.flavours import users_socket
from devreg.flavours.daemon_json_file import DaemonJson
from devreg.flavours.docker_witness import DockerWitness
from devreg.flavours.dockerd_preflight import DockerdPreflight
from devreg.flavours.dockerd_service import DockerdService
from devreg.flavours.flavour import Applied, Flavour
from devreg.flavours.rootful import reload_loses_list
from devreg.host import dockerd as host_dockerd
from devreg.host import user_units
from devreg.host.dockerd import Dockerd, Manager
from devreg.host.edits import Edit
from devreg.host.run import CommandFailed
from devreg.host.services import ServiceFailed
from devreg.model import daemon_json
from devreg.model.engine import EngineInfo
from devreg.model.errors import ConfigUnusable

_FLAG = "--insecure-registry"
_STARTER = "rootless"  # in the names of rootlesskit and docker-rootlesskit
_START_SECONDS = 180
_POLL_SECONDS = 0.1


def rootless(engine: Engine, info: EngineInfo, state: Path) -> Flavour:
    """The dockerd of the user who runs devreg. `state`: where devreg remembers what it has changed.

    Raises ConfigUnusable for another user's engine, also to root, and when the listener is not a dockerd;
    EngineUnreachable when nobody listens.
    """
    users_socket.refuse_others(engine.host)
    dockerd = _find(engine)
    unit = user_units.running(dockerd.pid, _STARTER)
    if unit:
        dockerd = replace(dockerd, manager=Manager.USER_SYSTEMD)
    witness = DockerWitness(engine, dockerd.flags)
    return Flavour(
        name="rootless",
        files=DaemonJson(dockerd.config_file, witness.live),
        service=RootlessService(engine, dockerd, unit, "restart" if reload_loses_list(info) else "reload"),
        witness=witness,
        certificates=dockerd.folder / "certs.d",
        preflight=RootlessPreflight(engine, dockerd, witness, state, unit),
    )


class RootlessPreflight(DockerdPreflight):
    """What is looked for at any dockerd, and in the unit of the user's systemd that runs this one."""

    def __init__(self, engine: Engine, dockerd: Dockerd, witness: DockerWitness, state: Path, unit: str | None) -> None:
        super().__init__(engine, dockerd, witness, state)
        self._unit = unit

    def __call__(self, edits: Sequence[Edit], *, restart: bool, force: bool) -> None:
        """Raise ConfigUnusable or EngineRefused for what would fail or do harm, also at the next start only."""
        super().__call__(edits, restart=restart, force=force)
        lists = any(f'"{daemon_json.KEY}"'.encode() in (edit.after or b"") for edit in edits)
        if self._unit and lists and _FLAG in user_units.command(self._unit):
            raise ConfigUnusable(
                f"at its next start dockerd gets {_FLAG} from {self._unit}: with the list in {edits[0].path} too it "
                "would not start",
                hint=f"move the values of the flags into {edits[0].path}, as {daemon_json.KEY}, and restart Docker",
            )


class RootlessService(DockerdService):
    """A dockerd below rootlesskit. `unit`: what runs it in the user's systemd, if that does.

    A reload is a SIGHUP to dockerd itself, whoever runs it: `systemctl --user reload` would send it to rootlesskit,
    which only passes it on (measured on rootlesskit 1.1), and does nothing for a unit without ExecReload.
    """

    def __init__(self, engine: Engine, dockerd: Dockerd, unit: str | None, applies: Applied = "reload") -> None:
        super().__init__(engine, dockerd, applies)
        self._unit = unit

    @property
    def by_hand(self) -> str:
        """What a person types to restart it."""
        if self._unit is None:
            return "dockerd-rootless.sh, where it was started before"
        return f"systemctl --user reset-failed {self._unit}; systemctl --user restart {self._unit}"

    @property
    def log(self) -> str:
        """Where its words are."""
        if self._unit is None:
            return "what dockerd-rootless.sh wrote where it was started"
        return f"`journalctl --user --unit {self._unit} -n 20`"

    def restart(self) -> None:
        """Restart its unit and wait until it answers. Raises ServiceFailed, at once where no unit runs it."""
        if self._unit is None:
            raise ServiceFailed(
                f"no unit of this user's systemd runs dockerd (process {self._dockerd.pid}): "
                "restart dockerd-rootless.sh where it was started"
            )
        try:
            user_units.restart(self._unit)
        except CommandFailed as error:
            raise ServiceFailed(f"Docker could not be restarted: {error}") from error
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise ServiceFailed(f"Docker was restarted, but does not answer (waited {_START_SECONDS} s)")
            time.sleep(_POLL_SECONDS)
        self._dockerd = _find(self._engine)


def _find(engine: Engine) -> Dockerd:
    return host_dockerd.find(users_socket.place(engine.host), rootless=True)
