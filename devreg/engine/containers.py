"""The server's containers in the engine. Ours are known by the label that names their role."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docker
from docker.models.containers import Container as DockerContainer

from devreg.engine.client import Engine
from devreg.engine.errors import translated
from devreg.model.errors import NotFound, RefusedOverwrite, ServerError
from devreg.model.server import LABEL_DEFINITION, LABEL_ROLE, Container, Listen

# Any: the SDK's type stubs keep the name of this dict's type to themselves.
_RESTART: Any = {"Name": "unless-stopped"}


@dataclass(frozen=True)
class Found:
    """A container of ours as the engine has it now. `listen` is where it is published, None when it is not."""

    id: str
    name: str
    role: str
    image: str
    fingerprint: str
    running: bool
    listen: Listen | None


def find(engine: Engine) -> dict[str, Found]:
    """Our containers by role, running or not."""
    with translated("look for the registry's containers"):
        containers = engine.client.containers.list(all=True, filters={"label": LABEL_ROLE}, ignore_removed=True)
        return {found.role: found for found in map(_found, containers)}


def create(engine: Engine, container: Container, network: str) -> str:
    """Create a container with its files in it, not started; gives its id. A container is recreated, never changed.

    Raises RefusedOverwrite when the name is taken by a container that is not ours.
    """
    _refuse_foreign(engine, container.name)
    with translated(f"create the container {container.name}"):
        created = engine.client.containers.create(
            container.image,
            name=container.name,
            entrypoint=list(container.command),
            command=[],
            user=container.user,
            network=network,
            ports={f"{container.inner_port}/tcp": (listen.ip, listen.port)} if (listen := container.publish) else {},
            volumes={volume: {"bind": path, "mode": "rw"} for path, volume in container.mounts.items()},
            labels={LABEL_ROLE: container.role, LABEL_DEFINITION: container.fingerprint},
            restart_policy=_RESTART,
            security_opt=["no-new-privileges"],
            log_config=docker.types.LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
        )
        created.put_archive("/", _archive(container.files, mode=0o644))
        return str(created.id)


def start(engine: Engine, id: str) -> None:
    """Start a container. Raises ServerError with the engine's reason."""
    container = _get(engine, id)
    try:
        with translated(f"start the container {container.name}"):
            container.start()
    except NotFound as error:
        raise ServerError(error.message, hint=error.hint) from error


def stop(engine: Engine, id: str) -> None:
    """Stop a container; its restart policy leaves it stopped."""
    container = _get(engine, id)
    with translated(f"stop the container {container.name}"):
        container.stop(timeout=10)


def remove(engine: Engine, id: str) -> None:
    """Stop and remove a container. Its volumes stay."""
    container = _get(engine, id)
    with translated(f"remove the container {container.name}"):
        container.stop(timeout=10)
        container.remove(force=True)


def read(engine: Engine, id: str, path: str) -> str | None:
    """The text of a file in a container, None when there is none."""
    try:
        with translated(f"read {path}"):
            chunks, _ = _get(engine, id).get_archive(path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                member = archive.extractfile(archive.getmembers()[0])
                return member.read().decode() if member else None
    except NotFound:
        return None


def write(engine: Engine, id: str, path: str, text: str, *, gid: int) -> None:
    """Replace a file in a running container in one step: readers see the old text or the new, never half of it.

    The file is the group's to read and nobody else's.
    """
    container = _get(engine, id)
    new = f"{path}.new"
    with translated(f"write {path} in {container.name}"):
        container.put_archive("/", _archive({new: text}, mode=0o640, gid=gid))
        code, _ = container.exec_run(["mv", new, path])
    if code != 0:
        raise ServerError(f"could not replace {path} in {container.name}", hint="`devreg registry logs nginx`")


def logs(engine: Engine, id: str, *, tail: int | None, follow: bool) -> Iterator[bytes]:
    """The lines that a container wrote, oldest first."""
    container = _get(engine, id)
    with translated(f"read the logs of {container.name}"):
        if not follow:
            yield container.logs(tail="all" if tail is None else tail)
            return
        yield from container.logs(stream=True, follow=True, tail="all" if tail is None else tail)


def publisher(engine: Engine, listen: Listen) -> str | None:
    """The name of a running container that is published on this port, None when no container is."""
    with translated("look for containers on the port"):
        for container in engine.client.containers.list(ignore_removed=True):
            if any(bound.port == listen.port for bound in _bindings(container.attrs)):
                return str(container.name)
    return None


def _get(engine: Engine, id: str) -> DockerContainer:
    with translated("find the container"):
        return engine.client.containers.get(id)


def _refuse_foreign(engine: Engine, name: str) -> None:
    try:
        with translated(f"look for a container {name}"):
            other = engine.client.containers.get(name)
    except NotFound:
        return
    raise RefusedOverwrite(
        f"a container named {name} is there already and is not devreg's (id {other.short_id})",
        hint=f"rename it (`docker rename {name} …`) or remove it; devreg does not touch it",
    )


def _found(container: DockerContainer) -> Found:
    return Found(
        id=str(container.id),
        name=str(container.name),
        role=container.labels.get(LABEL_ROLE, ""),
        image=str(container.attrs["Config"]["Image"]),
        fingerprint=container.labels.get(LABEL_DEFINITION, ""),
        running=container.status == "running",
        listen=next(_bindings(container.attrs), None),
    )


def _bindings(attrs: Mapping[str, Any]) -> Iterator[Listen]:
    """Where on this machine a container is published, or will be when it starts."""
    for bindings in (attrs["HostConfig"].get("PortBindings") or {}).values():
        for binding in bindings or []:
            if (port := str(binding.get("HostPort") or "")).isdigit():
                yield Listen(binding.get("HostIp") or "0.0.0.0", int(port))  # noqa: S104 - what the engine means by none


def _archive(files: Mapping[str, str], *, mode: int, gid: int = 0) -> bytes:
    """A tar of text files, for the engine to unpack at `/`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode, member.gid = len(text.encode()), mode, gid
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()
