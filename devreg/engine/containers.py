"""The server's containers in the engine. Ours are known by the label that names their role."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import docker
from docker.models.containers import Container as DockerContainer

from devreg.engine.client import Engine
from devreg.engine.errors import translated
from devreg.model.errors import NotFound, RefusedOverwrite, ServerError
from devreg.model.server import (
    LABEL_CHOICES,
    LABEL_DEFINITION,
    LABEL_ROLE,
    LOG,
    SCRATCH_BYTES,
    SERVER_ROLES,
    Container,
    Listen,
)

# Any: the SDK's type stubs keep the name of this dict's type to themselves.
_RESTART: Any = {"Name": "unless-stopped"}
_STOP_SECONDS = 10
_LAST_LINES = 50
# What a container that is being replaced is called; one that is left of an interrupted run is worth nothing.
_ASIDE = "-replaced"

_SOMEBODY_WAS_FASTER = 9
# A folder is the lock that every shell has. What it guards takes milliseconds: one that is seconds old was left behind.
_SWAP = f"""
code=0
tries=0
until mkdir "$1.lock" 2>/dev/null; do
  tries=$((tries + 1))
  [ $tries -le 50 ] || rmdir "$1.lock" 2>/dev/null
  sleep 0.1
done
if cat "$1" 2>/dev/null | cmp -s - "$2.old"; then mv "$2.new" "$1" || code=1; else code={_SOMEBODY_WAS_FASTER}; fi
rm -f "$2.old" "$2.new"
rmdir "$1.lock"
exit $code
"""

# What fails here is the registry server.
_translated = partial(translated, refused=ServerError)


@dataclass(frozen=True)
class Found:
    """A container of ours as the engine has it now. `listen` is where it is published, None when it is not.

    `image` is the name that it was made of, `image_id` what that name stood for then.
    """

    id: str
    name: str
    role: str
    image: str
    image_id: str
    fingerprint: str
    running: bool
    listen: Listen | None
    choices: str = ""


def find(engine: Engine, roles: Collection[str] = SERVER_ROLES) -> dict[str, Found]:
    """Our containers of these roles, by role, running or not."""
    return {found.role: found for found in _ours(engine) if found.role in roles and not found.name.endswith(_ASIDE)}


def remove_leftovers(engine: Engine) -> bool:
    """Remove what an interrupted run had set aside. True when there was anything."""
    leftovers = [found for found in _ours(engine) if found.name.endswith(_ASIDE)]
    for found in leftovers:
        remove(engine, found.id)
    return bool(leftovers)


def _ours(engine: Engine) -> list[Found]:
    with _translated("look for the registry's containers"):
        containers = engine.client.containers.list(all=True, filters={"label": LABEL_ROLE}, ignore_removed=True)
        return [_found(container) for container in containers]


def create(engine: Engine, container: Container, network: str) -> str:
    """Create a container with its files in it, not started; gives its id. A container is recreated, never changed."""
    with _translated(f"create the container {container.name}"):
        created = engine.client.containers.create(
            container.image,
            name=container.name,
            entrypoint=list(container.command),
            command=[],
            user=container.user,
            network=network,
            ports={f"{container.inner_port}/tcp": (listen.ip, listen.port)} if (listen := container.publish) else {},
            volumes=[
                *(f"{volume}:{path}:rw" for path, volume in container.mounts.items()),
                *(f"{volume}:{path}:ro" for path, volume in container.views.items()),
            ],
            # The engine puts no file into a read-only root: files get a nameless volume, which goes with the container.
            mounts=[docker.types.Mount(folder, None, type="volume") for folder in container.file_folders],
            read_only=True,
            tmpfs=dict.fromkeys(container.scratch, f"size={SCRATCH_BYTES}"),
            cap_drop=["ALL"],
            cap_add=list(container.capabilities),
            pids_limit=container.processes,
            **_memory(container.memory),
            labels={
                LABEL_ROLE: container.role,
                LABEL_DEFINITION: container.fingerprint,
                LABEL_CHOICES: container.choices,
            },
            restart_policy=_RESTART,
            security_opt=["no-new-privileges"],
            log_config=docker.types.LogConfig(type="json-file", config=LOG),
        )
        try:
            for folder in container.file_folders:
                created.put_archive(folder, _archive(_within(folder, container.files), mode=container.file_mode))
        except BaseException:
            created.remove(force=True, v=True)
            raise
        return str(created.id)


def start(engine: Engine, id: str) -> None:
    """Start a container. Raises ServerError with the engine's reason."""
    container = _get(engine, id)
    try:
        with _translated(f"start the container {container.name}"):
            container.start()
    except NotFound as error:
        raise ServerError(error.message, hint=error.hint) from error


def set_aside(engine: Engine, found: Found) -> None:
    """Stop a container and free its name, to be brought back by `bring_back` or removed."""
    container = _get(engine, found.id)
    with _translated(f"stop the container {found.name}"):
        container.stop(timeout=_STOP_SECONDS)
        container.rename(f"{found.name}{_ASIDE}")


def bring_back(engine: Engine, found: Found) -> None:
    """Give a container its name back, and start it if it ran."""
    container = _get(engine, found.id)
    with _translated(f"bring the container {found.name} back"):
        if container.name != found.name:
            container.rename(found.name)
        if found.running:
            container.start()


def remove(engine: Engine, id: str) -> None:
    """Stop and remove a container. Its volumes stay. One that is gone is fine."""
    try:
        with _translated("remove a container"):
            container = engine.client.containers.get(id)
            container.stop(timeout=_STOP_SECONDS)
            container.remove(force=True, v=True)
    except NotFound:
        return


def read(engine: Engine, id: str, path: str) -> str | None:
    """The text of a file in a container, None when there is none."""
    try:
        with _translated(f"read {path}"):
            chunks, _ = _get(engine, id).get_archive(path)
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                member = archive.extractfile(archive.getmembers()[0])
                return member.read().decode() if member else None
    except NotFound:
        return None


def put_secret(engine: Engine, id: str, path: str, text: str) -> None:
    """Write a file that only root may read into a container, running or not: into its volume where one is mounted."""
    folder, _, name = path.rpartition("/")
    with _translated(f"write {path}"):
        _get(engine, id).put_archive(folder, _archive({name: text}, mode=0o600))


def replace(engine: Engine, id: str, path: str, before: str, after: str, *, gid: int | None) -> bool:
    """Replace a file in a running container if it still has the text `before`; False when somebody was faster.

    In one step: readers see the old text or the new, never half of it. The file is the group's to read, for None
    root's alone.
    """
    container = _get(engine, id)
    token = secrets.token_hex(8)
    with _translated(f"write {path} in {container.name}"):
        folder, _, name = path.rpartition("/")
        texts = {f"{name}.{token}.old": before, f"{name}.{token}.new": after}
        archive = _archive(texts, mode=0o600 if gid is None else 0o640, gid=gid or 0)
        container.put_archive(folder, archive)
        code, _ = container.exec_run(["sh", "-c", _SWAP, "sh", path, f"{path}.{token}"])
    if code not in (0, _SOMEBODY_WAS_FASTER):
        raise ServerError(f"could not replace {path} in {container.name}", hint="`devreg registry logs nginx`")
    return bool(code == 0)


def logs(engine: Engine, id: str, *, tail: int | None, follow: bool) -> Iterator[bytes]:
    """The lines that a container wrote, oldest first."""
    container = _get(engine, id)
    with _translated(f"read the logs of {container.name}"):
        if not follow:
            yield container.logs(tail="all" if tail is None else tail)
            return
        yield from container.logs(stream=True, follow=True, tail="all" if tail is None else tail)


def log_lines(engine: Engine, id: str, since: datetime) -> Iterator[str]:
    """The lines that a container wrote since then and that the engine has kept, as they come."""
    container = _get(engine, id)
    with _translated(f"read the logs of {container.name}"):
        rest = b""
        for chunk in container.logs(stream=True, follow=False, since=int(since.timestamp())):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)


def last_line(engine: Engine, id: str) -> str:
    """The last thing that a container said. Of a Go program that panicked why, rather than where."""
    text = b"".join(logs(engine, id, tail=_LAST_LINES, follow=False)).decode(errors="replace")
    said = [line.strip() for line in text.splitlines() if line.strip()]
    panicked = [line for line in said if line.startswith("panic: ")]
    return [*said, *panicked[-1:]][-1] if said else "it said nothing"


def publisher(engine: Engine, listen: Listen) -> str | None:
    """The name of a running container, not of ours, that is published where we want to be; None when none is."""
    with _translated("look for containers on the port"):
        for container in engine.client.containers.list(ignore_removed=True):
            ours = LABEL_ROLE in container.labels
            if not ours and any(bound.collides(listen) for bound in _bindings(container.attrs)):
                return str(container.name)
    return None


def refuse_foreign(engine: Engine, name: str) -> None:
    """Raise RefusedOverwrite when a container that is not ours has the name."""
    try:
        with _translated(f"look for a container {name}"):
            other = engine.client.containers.get(name)
    except NotFound:
        return
    if LABEL_ROLE not in other.labels:
        raise RefusedOverwrite(
            f"a container named {name} is there already and is not devreg's (id {other.short_id})",
            hint=f"rename it (`docker rename {name} NEW`) or remove it; devreg does not touch it",
        )


def _get(engine: Engine, id: str) -> DockerContainer:
    with _translated("find the container"):
        return engine.client.containers.get(id)


def _found(container: DockerContainer) -> Found:
    return Found(
        id=str(container.id),
        name=str(container.name),
        role=container.labels.get(LABEL_ROLE, ""),
        image=str(container.attrs["Config"]["Image"]),
        image_id=str(container.attrs["Image"]),
        fingerprint=container.labels.get(LABEL_DEFINITION, ""),
        running=container.status == "running",
        listen=next(_bindings(container.attrs), None),
        choices=container.labels.get(LABEL_CHOICES, ""),
    )


def _bindings(attrs: Mapping[str, Any]) -> Iterator[Listen]:
    """Where on this machine a container is published, or will be when it starts."""
    for bindings in (attrs["HostConfig"].get("PortBindings") or {}).values():
        for binding in bindings or []:
            if (port := str(binding.get("HostPort") or "")).isdigit():
                yield Listen(binding.get("HostIp") or "0.0.0.0", int(port))  # noqa: S104 - what the engine means by none


def _memory(limit: int | None) -> dict[str, Any]:
    """The SDK's words for a limit of memory; swap would only make what has run away slow."""
    return {} if limit is None else {"mem_limit": limit, "memswap_limit": limit}


def _within(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    """The files that lie in `folder`, by their names in it."""
    return {path.rpartition("/")[2]: text for path, text in files.items() if path.rpartition("/")[0] == folder}


def _archive(files: Mapping[str, str], *, mode: int, gid: int = 0) -> bytes:
    """A tar of text files, for the engine to unpack in a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.gid = len(text.encode()), mode, gid
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()
