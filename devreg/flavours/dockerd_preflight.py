"""Reasons to leave a dockerd and its daemon.json alone, looked for before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from devreg.engine.client import Engine
from devreg.flavours.docker_witness import DockerWitness
from devreg.host import daemon_check, files, processes, unit_flags
from devreg.host.dockerd import Dockerd, Manager
from devreg.host.edits import Edit
from devreg.host.trust_record import TrustRecord
from devreg.model import daemon_json
from devreg.model.errors import ConfigUnusable, EngineRefused
from devreg.model.insecure_entry import is_plain

_FLAG = "--insecure-registry"
# From the start of the process, which is known to 0.01 s, until dockerd reads its file.
_START_SECONDS = 0.05


class DockerdPreflight:
    """What is looked for at one dockerd. `state`: the folder where devreg remembers how it left the file."""

    def __init__(self, engine: Engine, dockerd: Dockerd, witness: DockerWitness, state: Path) -> None:
        self._engine = engine
        self._dockerd = dockerd
        self._witness = witness
        self._state = state

    def __call__(self, edits: Sequence[Edit], *, restart: bool, force: bool) -> None:
        """Raise ConfigUnusable or EngineRefused for what would fail or do harm.

        `force`: take the changes of others along that the engine has not read yet.
        """
        if restart and not self._dockerd.restartable:
            raise EngineRefused(
                f"dockerd (process {self._dockerd.pid}) has a parent that may watch over it: devreg leaves it running",
                hint="leave out --restart: a reload stops no container; or restart it where it is managed",
            )
        if not restart:
            from devreg.engine.reloads import last_reload

            last_reload(self._engine)  # an engine that does not tell of reloads is refused before its file is written
        for edit in edits:
            self._refuse_flags(edit)
            self._refuse_broken(edit)
            if not force:
                self._refuse_pending(edit)

    def _refuse_flags(self, edit: Edit) -> None:
        """A flag and the same key in the file together keep dockerd from starting, whatever their values."""
        if daemon_json.KEY not in daemon_json.parse(daemon_json.decode(edit.after or b"", str(edit.path))):
            return
        unit = self._dockerd.unit
        hint = f"move the values of the flags into {edit.path}, as insecure-registries, and restart Docker"
        if self._dockerd.flags:
            raise ConfigUnusable(
                f"dockerd runs with {_FLAG} flags: with the list in {edit.path} too it would not start again", hint=hint
            )
        planned = unit_flags.places(_FLAG, unit) if unit or self._dockerd.manager is Manager.INIT_SCRIPT else ()
        if planned:
            raise ConfigUnusable(
                f"at its next start dockerd gets {_FLAG} ({planned[0]}): with the list in {edit.path} too it would "
                "not start",
                hint=hint,
            )

    def _refuse_broken(self, edit: Edit) -> None:
        """Ask dockerd itself, where it can be asked."""
        said = daemon_check.complaint(self._dockerd, edit.read or b"{}")
        if said is None:
            return
        before = daemon_check.complaint(self._dockerd, edit.before) if edit.before else None
        if before is not None:
            raise ConfigUnusable(
                f"{edit.path} is broken already, Docker would not start with it: {before}",
                hint="correct the file by hand; devreg has not touched it",
            )
        raise EngineRefused(
            f"Docker would not start with the changed {edit.path}: {said}", hint="devreg has not touched the file"
        )

    def _refuse_pending(self, edit: Edit) -> None:
        """A reload would bring alive what somebody else has written and maybe not finished."""
        if edit.before is None or TrustRecord(self._state).left(edit.path, edit.before):
            return
        waiting = self._not_live(edit)
        if waiting:
            what = f"{edit.path} lists {waiting[0]}, which the running engine does not trust"
        elif self._written_since_read(edit.path):
            what = f"{edit.path} was changed after the engine last read it"
        else:
            return
        raise ConfigUnusable(
            f"{what}: somebody's change is not in force yet, and a reload would bring it along",
            hint="look at the file, reload Docker, then run the command again; or give --force to bring it along",
        )

    def _not_live(self, edit: Edit) -> list[str]:
        """The entries that are in the file and stay in it, but are not in force."""
        live = self._witness.live()
        stays = daemon_json.entries(daemon_json.parse(daemon_json.decode(edit.after or b"", str(edit.path))))
        listed = daemon_json.entries(daemon_json.parse(daemon_json.decode(edit.before or b"", str(edit.path))))
        return [entry for entry in listed if entry in stays and is_plain(entry) and entry not in live]

    def _written_since_read(self, path: Path) -> bool:
        from devreg.engine.reloads import last_reload

        try:
            read = max(processes.started(self._dockerd.pid) + _START_SECONDS, last_reload(self._engine) or 0.0)
            return files.modified(path) > read
        except (OSError, ValueError):
            return False
