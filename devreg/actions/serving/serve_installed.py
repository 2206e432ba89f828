"""The registry server that `registry install` has put in place: a service of systemd behind the machine's nginx."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devreg.actions.reach import open_engine
from devreg.actions.serving import serve, server_tls, users
from devreg.actions.serving.installed_files import InstalledFiles
from devreg.actions.serving.running_container import in_container
from devreg.actions.serving.running_server import Running
from devreg.engine.client import Engine
from devreg.host import files, log_files, system_nginx, system_units
from devreg.host.install_record import InstallRecord, Put
from devreg.host.state import state_folder
from devreg.model.errors import NotFound, RefusedOverwrite, ServerError
from devreg.model.events import Listener
from devreg.model.results import ServerStatus
from devreg.registry import front
from devreg.server.targets import ACCESS_LOG, UNIT, VOLUME

_ANSWER_SECONDS = 5
# The unit's `docker run` goes there, whatever this user's context is.
_DEFAULT_ENGINE = ("unix:///var/run/docker.sock", "unix:///run/docker.sock")


@dataclass(frozen=True)
class Service:
    """The server that is installed. `put`: what is on record of it."""

    put: Put

    @property
    def files(self) -> InstalledFiles:
        """What nginx goes by."""
        return InstalledFiles()

    def down(self, *, volumes: bool, listener: Listener) -> bool:
        """Never: raises ServerError that says who takes it away."""
        del volumes, listener
        raise ServerError(
            f"the registry is a service of systemd, {UNIT}",
            hint=f"`systemctl stop {UNIT}` stops it; `devreg registry uninstall` takes it away",
        )

    def status(self) -> ServerStatus:
        """How it is now."""
        site = self.put.site
        running = system_units.state(UNIT).active and system_units.state(system_nginx.UNIT).active
        tls, pair = site.certificate is not None, site.certificate
        chain = (files.read(Path(pair.chain)) or b"").decode(errors="replace") if pair else ""
        return ServerStatus(
            running=running,
            healthy=running and front.fault(site.listen, site.host, tls=tls, timeout=_ANSWER_SECONDS) is None,
            address=site.address,
            images={"registry": site.image},
            users=users.names(self.files),
            volume=VOLUME,
            tls=site.tls,
            certificate_ends=server_tls.ends(chain),
            runtime="systemd",
        )

    def logs(self, role: str, *, tail: int | None, follow: bool) -> Iterator[bytes]:
        """What the registry wrote into the journal, or nginx of its requests. Raises NotFound for what is not there."""
        if role == "registry":
            return system_units.journal(UNIT, tail=tail, follow=follow)
        if role != "nginx":
            return serve.logs(open_engine(), role, tail=tail, follow=follow)
        if not Path(ACCESS_LOG).exists():
            raise NotFound(f"there is no {ACCESS_LOG}", hint="`devreg registry install` has nginx write it")
        return log_files.read(Path(ACCESS_LOG), tail=tail, follow=follow)

    def running(self) -> Running:
        """The server for those who keep it. Raises ServerError when it does not run."""
        if not system_units.state(UNIT).active:
            raise ServerError(f"{UNIT} does not run", hint=f"`systemctl start {UNIT}`, then try again")
        return in_container(machines_engine(), UNIT, self.files, lambda since: log_files.lines(Path(ACCESS_LOG), since))


def machines_engine() -> Engine:
    """The engine that the service runs in. Raises ServerError for another, EngineUnreachable."""
    engine = open_engine()
    refuse_other_engine(engine)
    return engine


def refuse_other_engine(engine: Engine) -> None:
    """Raise ServerError for an engine that is not the machine's own."""
    if engine.host not in _DEFAULT_ENGINE:
        raise ServerError(
            f"the service runs in the machine's own engine, and this is {engine.host}",
            hint="without DOCKER_HOST and DOCKER_CONTEXT, then try again",
        )


def installed() -> Service | None:
    """The server that is installed; None for none. Raises ConfigUnusable for a damaged record."""
    put = InstallRecord(state_folder()).installed()
    return None if put is None else Service(put)


def refuse_installed() -> None:
    """Raise RefusedOverwrite where one is installed."""
    if installed():
        raise _in_the_way()


def _in_the_way() -> RefusedOverwrite:
    return RefusedOverwrite(
        f"the registry is installed here as a service of systemd, {UNIT}",
        hint="`devreg registry install` changes it; `devreg registry uninstall` first for another",
    )
