"""OrbStack's Docker on macOS: a docker.json in the user's home, read when its engine is restarted."""

from __future__ import annotations

from pathlib import Path

from devreg.engine.client import Engine
from devreg.flavours import users_socket
from devreg.flavours.daemon_json_file import DaemonJson
from devreg.flavours.docker_witness import DockerWitness
from devreg.flavours.flavour import Flavour
from devreg.flavours.restarted_engine import RestartedEngine
from devreg.model.engine import EngineInfo

_SOCKET = ".orbstack/run/docker.sock"


def is_orbstack(info: EngineInfo, host: str) -> bool:
    """Whether OrbStack runs the engine, by the engine's own words or by its socket."""
    return info.operating_system == "OrbStack" or str(users_socket.place(host)).endswith(_SOCKET)


def orbstack(engine: Engine, info: EngineInfo) -> Flavour:
    """The OrbStack of the user who runs devreg. Raises ConfigUnusable for another user's."""
    del info
    users_socket.refuse_others(engine.host)
    witness = DockerWitness(engine)
    service = RestartedEngine(
        name="OrbStack's Docker",
        commands=(("orb", "restart", "docker"),),
        asks=("orb", "status"),
        log="`orb logs docker`",
        sudo=False,
        engine=engine,
        otherwise="put OrbStack's program `orb` on PATH, or add the registry in OrbStack under Settings, Docker",
    )
    home = Path.home()
    return Flavour(
        name="orbstack",
        files=DaemonJson(home / ".orbstack/config/docker.json", witness.live),
        service=service,
        witness=witness,
        certificates=home / ".docker/certs.d",
        preflight=service.preflight,
    )
