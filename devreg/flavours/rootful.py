"""Docker on Linux, run by root: /etc/docker/daemon.json or the file of dockerd's own --config-file."""

from __future__ import annotations

import re
from pathlib import Path

from devreg.engine.client import Engine
from devreg.flavours.daemon_json_file import DaemonJson
from devreg.flavours.docker_witness import DockerWitness
from devreg.flavours.dockerd_preflight import DockerdPreflight
from devreg.flavours.dockerd_service import DockerdService
from devreg.flavours.flavour import Flavour
from devreg.host import dockerd as host_dockerd
from devreg.model.engine import EngineInfo

_CERTIFICATES = Path("/etc/docker/certs.d")


def rootful(engine: Engine, info: EngineInfo, state: Path) -> Flavour:
    """The dockerd that listens on the engine's socket. `state`: where devreg remembers what it has changed.

    Raises ConfigUnusable when the listener is not a dockerd of this machine, EngineUnreachable when nobody listens.
    """
    dockerd = host_dockerd.find(Path(engine.host.removeprefix("unix://")))
    witness = DockerWitness(engine, dockerd.flags)
    return Flavour(
        name="rootful",
        files=DaemonJson(dockerd.config_file, witness.live),
        service=DockerdService(engine, dockerd, "restart" if reload_loses_list(info) else "reload"),
        witness=witness,
        certificates=_CERTIFICATES,
        preflight=DockerdPreflight(engine, dockerd, witness, state),
    )


def reload_loses_list(info: EngineInfo) -> bool:
    """Engines 23.0.0 to 23.0.6 and 24.0.0 with `registry-mirrors` set, see moby#45552."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", info.version)
    version = tuple(map(int, found.groups())) if found else ()
    return bool(info.mirrors) and ((23, 0, 0) <= version <= (23, 0, 6) or version == (24, 0, 0))
