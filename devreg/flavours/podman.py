"""podman, buildah and skopeo: they share their files and read them at each use.

A `podman system service` that runs goes by what it has read until it gets a SIGHUP (measured on podman 4.3); one that
systemd starts for each connection ends soon after it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from devreg.flavours.asking import PROBE, ask
from devreg.flavours.flavour import Applied, Flavour
from devreg.flavours.plain_services import AtEachUse
from devreg.flavours.registries_conf import RegistriesConf, place
from devreg.host import files, services
from devreg.host.dockerd import listener
from devreg.host.services import ServiceFailed
from devreg.model.address import Address
from devreg.model.engine import RunningContainer
from devreg.model.errors import ConfigUnusable, EngineUnreachable
from devreg.model.verdict import Verdict

# How each is told to ask a registry for an image.
_PULLS = {"podman": ("pull", "--quiet"), "buildah": ("pull", "--quiet"), "skopeo": ("inspect",)}


def podman(root: Path = Path("/"), socket: Path | None = None) -> Flavour:
    """The podman, buildah or skopeo of this machine, for the user who runs devreg; for root, for all users.

    `socket`: where a `podman system service` listens, which has to read the files again too.
    Raises ConfigUnusable where there is none of them.
    """
    program = next((name for name in _PULLS if shutil.which(name)), None)
    if program is None:
        raise ConfigUnusable("there is no podman, buildah or skopeo here", hint="install one of them, or change PATH")
    home = Path.home()
    registries = RegistriesConf(place(root, home))
    log = f"what `{program} --log-level debug` says"
    return Flavour(
        name="podman",
        files=registries,
        service=PodmanService(socket, log) if socket else AtEachUse(log),
        witness=PodmanWitness(program, registries),
        certificates=(root / "etc" if files.is_root() else home / ".config") / "containers/certs.d",
    )


@dataclass(frozen=True)
class PodmanService:
    """The `podman system service` behind a socket, which goes by what it has read until it is told."""

    socket: Path
    log: str
    applies: Applied = "reload"
    by_hand: str = "sudo pkill -HUP -f 'podman system service'"

    def answers(self) -> bool:
        """It starts with the next connection, where systemd listens for it."""
        return True

    def reload(self) -> None:
        """Have it read the files, if it runs. Raises ServiceFailed."""
        try:
            pid = listener(self.socket)
            if pid > 1:  # systemd listens, and starts a new one for each connection
                services.hang_up(pid)
        except (OSError, EngineUnreachable) as error:
            raise ServiceFailed(f"podman's service could not be told to reload: {error}") from error

    def restart(self) -> None:
        """Its containers need no service: reading the files is all there is to do. Raises ServiceFailed."""
        self.reload()


class PodmanWitness:
    """What the program does at its next call."""

    def __init__(self, program: str, registries: RegistriesConf) -> None:
        self._program = program
        self._registries = registries

    def live(self) -> None:
        """It goes by the files."""

    def covers(self, address: Address) -> str | None:
        """The insecure table that is for the address without naming it. Raises ConfigUnusable."""
        reference = f"{address}/{PROBE}"
        matching = [table for table in self._registries.tables() if table.matches(reference)]
        table = max(matching, key=lambda table: len(table.prefix), default=None)
        if table is None or not table.insecure or table.prefix == str(address):
            return None
        return f"the entry {table.prefix} in {table.file}, line {table.line}"

    def stops(self) -> tuple[RunningContainer, ...]:
        """Nothing is restarted."""
        return ()

    def reaches(self, address: Address) -> Verdict:
        """Have it pull an image that no registry has."""
        return ask([self._program, *_PULLS[self._program], f"docker://{address}/{PROBE}"])
