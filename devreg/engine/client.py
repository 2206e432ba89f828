"""The connection to the local engine, found as the docker CLI finds it, and what the engine says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from devreg.engine import short_way
from devreg.model.engine import EngineInfo, RunningContainer
from devreg.model.errors import DevregError

if TYPE_CHECKING:
    import docker

# A silent commit of a big layer can take minutes; the SDK's 60 s would cancel the push (measured).
READ_TIMEOUT_SECONDS = 900
_CONTAINERS_STORE = "io.containerd.snapshotter.v1"


class Engine:
    """An engine that answered. `host` is its endpoint, such as `unix:///var/run/docker.sock`."""

    def __init__(self, host: str, client: docker.DockerClient | None = None) -> None:
        self.host = host
        self._given = client

    @cached_property
    def client(self) -> docker.DockerClient:
        """The SDK's client, made when it is first needed. Raises EngineUnreachable."""
        return self._given or _sdk()

    @property
    def is_local(self) -> bool:
        """Whether the engine runs on this machine, as far as its endpoint tells."""
        return self.host.startswith(("unix://", "npipe://", "http+docker://", "http+unix://"))

    def ping(self) -> bool:
        """Whether the engine answers now."""
        from devreg.engine.errors import FOREIGN

        try:
            return bool(self.client.ping())
        except (*FOREIGN, DevregError):
            return False

    def info(self) -> EngineInfo:
        """What the engine says of itself now. Raises EngineUnreachable."""
        info, version = short_way.get(self.host, "/info"), short_way.get(self.host, "/version")
        if info is not None and version is not None:
            return _info(info, version)
        from devreg.engine.errors import translated

        with translated("ask the engine about itself"):
            return _info(self.client.info(), self.client.version())

    def running(self) -> tuple[RunningContainer, ...]:
        """The containers that run now, by name."""
        from devreg.engine.errors import translated

        with translated("list the running containers"):
            found = [
                RunningContainer(container.name or container.id or "?", _restart_policy(container.attrs))
                for container in self.client.containers.list(ignore_removed=True)
            ]
        return tuple(sorted(found, key=lambda container: container.name))

    def contents(self) -> dict[str, int]:
        """How many containers, images and volumes the engine holds, by these words in the singular."""
        from devreg.engine.errors import translated

        with translated("look at what the engine holds"):
            client = self.client
            return {
                "container": len(client.containers.list(all=True, ignore_removed=True)),
                "image": len(client.images.list()),
                "volume": len(client.volumes.list()),
            }


def connect() -> Engine:
    """The engine of DOCKER_HOST, of the CLI's context, or of the default socket. Raises EngineUnreachable."""
    host = short_way.endpoint()
    if host is not None and short_way.get(host, "/version") is not None:
        return Engine(host)
    client = _sdk()
    return Engine(_endpoint(client), client)


def _sdk() -> docker.DockerClient:
    import docker

    from devreg.engine.errors import FOREIGN, unreachable

    try:
        return docker.from_env(version="auto", timeout=READ_TIMEOUT_SECONDS)
    except (*FOREIGN, ValueError) as error:  # ValueError: an endpoint that makes no sense
        raise unreachable(error) from error


def _endpoint(client: docker.DockerClient) -> str:
    """The SDK hides the path of a unix socket behind `http+docker://localhost`; its adapter knows it."""
    base = str(client.api.base_url)
    if not base.startswith("http+docker://"):
        return base.replace("http://", "tcp://").replace("https://", "tcp://")
    adapter = client.api.get_adapter(base)
    return f"unix://{getattr(adapter, 'socket_path', '/var/run/docker.sock')}"


def _restart_policy(attrs: dict[str, Any]) -> str:
    return str(attrs.get("HostConfig", {}).get("RestartPolicy", {}).get("Name") or "no")


def _info(info: Mapping[str, Any], version: Mapping[str, Any]) -> EngineInfo:
    registries = info.get("RegistryConfig") or {}
    indexes = registries.get("IndexConfigs") or {}
    components = [str(component.get("Name")) for component in version.get("Components") or []]
    system = str(info.get("OperatingSystem") or "")
    return EngineInfo(
        version=str(info.get("ServerVersion") or ""),
        operating_system=system,
        os_type=str(info.get("OSType") or ""),
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or []),
        podman=any("Podman" in name for name in components),
        desktop=system == "Docker Desktop",
        insecure=tuple(sorted(name for name, index in indexes.items() if not index.get("Secure", True))),
        insecure_cidrs=tuple(sorted(registries.get("InsecureRegistryCIDRs") or [])),
        live_restore=bool(info.get("LiveRestoreEnabled")),
        mirrors=tuple(registries.get("Mirrors") or []),
        storage_driver=str(info.get("Driver") or ""),
        name=str(info.get("Name") or ""),
        data_root=str(info.get("DockerRootDir") or ""),
        cores=int(info.get("NCPU") or 1),
        containers_store=["driver-type", _CONTAINERS_STORE] in (info.get("DriverStatus") or []),
    )
