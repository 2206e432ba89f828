"""Docker from Canonical's snap: a dockerd of root's with its files in /var/snap/docker."""

from __future__ import annotations

from pathlib import Path

from devreg.engine.client import Engine
from devreg.flavours.daemon_json_file import DaemonJson
from devreg.flavours.docker_witness import DockerWitness
from devreg.flavours.flavour import Flavour
from devreg.flavours.restarted_engine import RestartedEngine
from devreg.flavours.users_socket import place
from devreg.model.engine import EngineInfo

_FILES = Path("/var/snap/docker/current")
_DATA = "/var/snap/docker/"
_PROGRAMS = "/snap/"


def is_snap(info: EngineInfo, host: str) -> bool:
    """Whether the engine keeps its data where the snap does, or is a program of a snap, which only root may see."""
    if info.data_root.startswith(_DATA):
        return True
    if info.rootless or not host.startswith("unix://"):
        return False
    from devreg.host import dockerd

    return dockerd.program(place(host)).startswith(_PROGRAMS)


def snap(engine: Engine, info: EngineInfo) -> Flavour:
    """The engine of the snap called docker."""
    del info
    witness = DockerWitness(engine)
    service = RestartedEngine(
        name="Docker's snap",
        commands=(("snap", "restart", "docker"),),
        asks=("snap", "services", "docker"),
        log="`snap logs docker`",
        engine=engine,
        otherwise="restart the snap where it is managed, or put /snap/bin or the `snap` program on PATH",
    )
    return Flavour(
        name="snap",
        files=DaemonJson(_FILES / "config/daemon.json", witness.live),
        service=service,
        witness=witness,
        certificates=_FILES / "etc/docker/certs.d",
        preflight=service.preflight,
    )
