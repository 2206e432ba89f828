"""Where an engine keeps its insecure registries, or why devreg leaves that engine alone.

Where each flavour keeps them was taken from its documentation; only rootful Docker on Linux is changed so far.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from devreg.engine.client import Engine
from devreg.host import dockerd as host_dockerd
from devreg.host.dockerd import Dockerd
from devreg.model.engine import EngineInfo
from devreg.model.errors import ConfigUnusable

FLAVOUR = "rootful"


@dataclass(frozen=True)
class Target:
    """An engine that devreg can change: what it says of itself, and the process that reads its daemon.json."""

    info: EngineInfo
    dockerd: Dockerd

    @property
    def reload_loses_list(self) -> bool:
        """Engines 23.0.0 to 23.0.6 and 24.0.0 with `registry-mirrors` set, see moby#45552."""
        found = re.match(r"(\d+)\.(\d+)\.(\d+)", self.info.version)
        version = tuple(map(int, found.groups())) if found else ()
        return bool(self.info.mirrors) and ((23, 0, 0) <= version <= (23, 0, 6) or version == (24, 0, 0))


def locate(engine: Engine) -> Target:
    """The engine's process and file. Raises ConfigUnusable, with the way by hand, for all but rootful Docker on Linux;
    EngineUnreachable when it stops answering."""
    if sys.platform != "linux":
        raise _unsupported(
            "an engine in a virtual machine, as on macOS and Windows,",
            "Docker Desktop: add the address to insecure-registries in its settings, Docker Engine, then restart it; "
            "colima: ~/.colima/<profile>/colima.yaml, docker: section; OrbStack: ~/.orbstack/config/docker.json",
        )
    if not engine.host.startswith("unix://"):
        raise ConfigUnusable(
            f"the engine is a remote one ({engine.host}): its daemon.json is not on this machine",
            hint="run the command on that machine, or unset DOCKER_HOST",
        )
    info = engine.info()
    _refuse_flavours(info)
    return Target(info, host_dockerd.find(Path(engine.host.removeprefix("unix://"))))


def _refuse_flavours(info: EngineInfo) -> None:
    if info.podman:
        raise _unsupported(
            "podman",
            "write [[registry]] location=… insecure=true to a file in /etc/containers/registries.conf.d/ "
            "(for one user: ~/.config/containers/registries.conf.d/); it counts from the next command on",
        )
    if info.desktop:
        raise _unsupported(
            "Docker Desktop",
            "add the address to insecure-registries in ~/.docker/daemon.json, then `docker desktop restart`",
        )
    if info.rootless:
        raise _unsupported(
            "rootless Docker",
            "add the address to insecure-registries in ~/.config/docker/daemon.json, "
            "then `systemctl --user reload docker`",
        )
    if info.os_type == "windows":
        raise _unsupported(
            "Docker on Windows",
            r"add the address to insecure-registries in %ProgramData%\docker\config\daemon.json, "
            "then restart the service",
        )


def _unsupported(what: str, by_hand: str) -> ConfigUnusable:
    return ConfigUnusable(f"{what} is not supported yet: devreg has changed nothing", hint=f"by hand: {by_hand}")
