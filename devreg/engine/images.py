"""Images in the engine: tag, push, pull, import, remove."""

from __future__ import annotations

import re
from typing import IO

import docker

from devreg.engine.client import Engine
from devreg.engine.errors import reason, translated
from devreg.engine.stream import StreamError, Transfer, follow
from devreg.model.credentials import Credentials
from devreg.model.errors import DevregError, EngineRefused, NotAuthorized, NotFound, RegistryUnreachable, UploadFailed
from devreg.model.events import Listener
from devreg.model.reference import Reference

_CHUNK_BYTES = 2**20
_LOCAL = "`docker images` lists the local images"


def exists(engine: Engine, image: str) -> bool:
    """Whether the engine has `image`."""
    with translated(f"look for the image {image}"):
        try:
            engine.client.images.get(image)
        except docker.errors.NotFound:
            return False
    return True


def is_id(engine: Engine, image: str) -> bool:
    """Whether `image` is (the beginning of) an image's id rather than a name."""
    if not re.fullmatch(r"[0-9a-f]{4,64}", image):
        return False
    with translated(f"look for the image {image}"):
        try:
            return str(engine.client.images.get(image).id).startswith(f"sha256:{image}")
        except docker.errors.NotFound:
            return False


def tag(engine: Engine, image: str, name: Reference) -> None:
    """Give a local image another name. Raises NotFound when there is no such image."""
    if not exists(engine, image):
        raise NotFound(f"no local image {image}", hint=_LOCAL)
    with translated(f"tag {image} as {name}"):
        engine.client.api.tag(image, name.name, name.tag or "latest", force=True)


def push(engine: Engine, name: Reference, credentials: Credentials | None, listener: Listener) -> Transfer:
    """Push `name` from the engine to its registry. Raises UploadFailed with the registry's reason."""
    with translated(f"push {name}", UploadFailed):
        lines = engine.client.api.push(
            name.name, name.tag or "latest", stream=True, decode=True, auth_config=_auth(credentials)
        )
        try:
            return follow(lines, listener)
        except StreamError as error:
            raise UploadFailed(f"{name} was not pushed: {error}", hint="see `devreg status`") from error


def pull(engine: Engine, name: Reference, credentials: Credentials | None, listener: Listener) -> Transfer:
    """Pull `name`. Raises NotFound, NotAuthorized or RegistryUnreachable with the engine's reason."""
    with translated(f"pull {name}"):
        try:
            lines = engine.client.api.pull(
                name.name, name.digest or name.tag or "latest", stream=True, decode=True, auth_config=_auth(credentials)
            )
            return follow(lines, listener)
        except docker.errors.APIError as error:
            raise _pull_failed(name, reason(error), error.status_code or 0) from error
        except StreamError as error:
            raise _pull_failed(name, str(error), 0) from error


def import_rootfs(engine: Engine, rootfs: IO[bytes], name: str) -> None:
    """Make an image of one layer from a tar of a file system. Raises ServerError with the engine's reason."""
    repository, _, version = name.partition(":")
    # Chunks, since the SDK announces a chunked body and would send a file as it is.
    chunks = iter(lambda: rootfs.read(_CHUNK_BYTES), b"")
    with translated(f"import the image {name}"):
        answer = engine.client.api.import_image_from_stream(chunks, repository=repository, tag=version or "latest")
    if "errorDetail" in str(answer) or not exists(engine, name):
        raise EngineRefused(f"could not import the image {name}: {answer}", hint="the engine's log has the details")


def remove(engine: Engine, image: str) -> bool:
    """Remove a name of an image, and the image with its last name. False when there is none."""
    if not exists(engine, image):
        return False
    with translated(f"remove the image {image}"):
        engine.client.images.remove(image, noprune=False)
    return True


def _auth(credentials: Credentials | None) -> dict[str, str]:
    """The engine's auth_config. Engines from 28.3.3 refuse a push without one, so it is empty rather than absent."""
    if credentials is None:
        return {}
    if credentials.username == "<token>":
        return {"identitytoken": credentials.secret}
    return {"username": credentials.username, "password": credentials.secret}


def _pull_failed(name: Reference, why: str, status: int) -> DevregError:
    message = f"{name} was not pulled: {why}"
    if status == 404 or "not found" in why or "manifest unknown" in why:
        return NotFound(message, hint=f"`devreg tags {name.name}` lists what is there")
    if "unauthorized" in why or "denied" in why:
        return NotAuthorized(
            message, hint=f"`devreg login {name.registry}`: stored credentials that are wrong fail pulls too"
        )
    return RegistryUnreachable(message, hint="`devreg status` says what the engine and devreg can reach")
