"""Docker Desktop on Linux, macOS and Windows, and the Docker service of Windows: restarted to read their files."""

from __future__ import annotations

import os
from pathlib import Path

from devreg.engine.client import Engine
from devreg.flavours import users_socket
from devreg.flavours.daemon_json_file import DaemonJson
from devreg.flavours.docker_witness import DockerWitness
from devreg.flavours.flavour import Flavour
from devreg.flavours.restarted_engine import RestartedEngine
from devreg.model.engine import EngineInfo
from devreg.model.errors import ConfigUnusable

_WINDOWS = "windows"
_SOCKETS = (".docker/desktop/docker.sock", ".docker/run/docker.sock")  # on Linux, on macOS
_IN_SETTINGS = "add the registry in Docker Desktop under Settings, Docker Engine, then choose Apply & restart"
_WSL = "/mnt/wsl/"  # here the sockets of the Docker Desktop on the Windows side are


def is_desktop(info: EngineInfo, host: str) -> bool:
    """Whether Docker Desktop runs the engine. With Windows containers only the name of its pipe tells."""
    socket = str(users_socket.place(host))
    return info.desktop or socket.endswith(_SOCKETS) or (host.startswith("npipe:") and "desktop" in host.lower())


def is_windows_service(info: EngineInfo, host: str) -> bool:
    """Whether the engine is Windows' own service."""
    return info.os_type == _WINDOWS and host.startswith("npipe:") and not is_desktop(info, host)


def desktop(engine: Engine, info: EngineInfo) -> Flavour:
    """The Docker Desktop of the user who runs devreg.

    Raises ConfigUnusable for another user's, also for that of Windows as seen from WSL: its files are not here.
    """
    socket = users_socket.place(engine.host)
    if str(socket).startswith(_WSL):
        raise ConfigUnusable("Docker Desktop runs on the Windows side, and its files are there", hint=_IN_SETTINGS)
    users_socket.refuse_others(engine.host)
    witness = DockerWitness(engine)
    service = RestartedEngine(
        name="Docker Desktop",
        commands=(("docker", "desktop", "restart"),),
        asks=("docker", "desktop", "status"),
        log="`docker desktop logs`, or Troubleshoot in its window",
        sudo=False,
        engine=engine,
        otherwise=f"`docker desktop` comes with Docker Desktop 4.37: update it, or {_IN_SETTINGS}",
    )
    folder = Path.home() / ".docker"
    return Flavour(
        name="desktop",
        files=DaemonJson(folder / _file(info), witness.live),
        service=service,
        witness=witness,
        certificates=folder / "certs.d",
        preflight=service.preflight,
    )


def windows_service(engine: Engine, info: EngineInfo) -> Flavour:
    """Windows' service called docker."""
    del info
    witness = DockerWitness(engine)
    folder = Path(os.environ.get("ProgramData", r"C:\ProgramData")) / "docker"  # noqa: SIM112  # Windows spells it so
    service = RestartedEngine(
        name="the service docker",
        commands=(_powershell("Restart-Service docker"),),
        asks=_powershell("Get-Service docker"),
        log="`Get-EventLog -LogName Application -Source docker -Newest 20`",
        sudo=False,
        engine=engine,
        otherwise="run the command in a PowerShell that was started as administrator",
    )
    return Flavour(
        name="windows",
        files=DaemonJson(folder / "config" / "daemon.json", witness.live),
        service=service,
        witness=witness,
        certificates=folder / "certs.d",
        preflight=service.preflight,
    )


def _file(info: EngineInfo) -> str:
    return "windows-daemon.json" if info.os_type == _WINDOWS else "daemon.json"


def _powershell(command: str) -> tuple[str, ...]:
    return ("powershell", "-NoProfile", "-NonInteractive", "-Command", command)
