"""Images in the engine: tag, push, pull, import, remove."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import IO

import docker

from devreg.engine.client import Engine
from devreg.engine.errors import reason, translated
from devreg.engine.stream import StreamError, Transfer, follow
from devreg.model.credentials import Credentials
from devreg.model.engine import LocalImage
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


def local(engine: Engine, image: str) -> LocalImage:
    """What the engine says of an image. Raises NotFound when there is no such image."""
    with translated(f"look for the image {image}"):
        try:
            found = engine.client.images.get(image).attrs
        except docker.errors.NotFound:
            raise NotFound(f"no local image {image}", hint=_LOCAL) from None
    layers = (found.get("RootFS") or {}).get("Layers") or ()
    platform = f"{found.get('Os') or ''}/{found.get('Architecture') or ''}"
    return LocalImage(str(found["Id"]), tuple(map(str, layers)), int(found.get("Size") or 0), platform)


def names(engine: Engine) -> tuple[str, ...]:
    """The names of the images that have one."""
    with translated("list the images"):
        found = engine.client.api.images()
    return tuple(name for image in found for name in image.get("RepoTags") or () if name != "<none>:<none>")


def all_layers(engine: Engine) -> frozenset[str]:
    """The diffIDs of the layers of every image that the engine has."""
    with translated("look at the layers of all images"):
        found = engine.client.images.list()
    return frozenset(str(layer) for image in found for layer in (image.attrs.get("RootFS") or {}).get("Layers") or ())


def layer_sizes(engine: Engine, image: LocalImage, wanted: Sequence[str]) -> tuple[int | None, ...]:
    """The unpacked bytes of the layers `wanted`, by diffID; None for those that the engine's history does not tell."""
    if not wanted:
        return ()
    with translated(f"ask for the history of {image.id}"):
        history = engine.client.api.history(image.id)  # type: ignore[no-untyped-call]
    # From the top down; steps that made no layer, or an empty one, have the size 0.
    sizes = [int(step.get("Size") or 0) for step in reversed(history) if step.get("Size")]
    if len(sizes) != len(image.diff_ids):
        return (None,) * len(wanted)
    return tuple(dict(zip(image.diff_ids, sizes, strict=True))[each] for each in wanted)


def is_id(engine: Engine, image: str) -> bool:
    """Whether `image` is (the beginning of) an image's id rather than a name."""
    if not re.fullmatch(r"(?:sha256:)?[0-9a-f]{4,64}", image):
        return False
    with translated(f"look for the image {image}"):
        try:
            return str(engine.client.images.get(image).id).startswith(f"sha256:{image.removeprefix('sha256:')}")
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
