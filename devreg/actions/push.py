"""Tag and push local images, pull remote ones, through the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from devreg.actions.reach import open_registry
from devreg.engine import images
from devreg.engine.client import Engine
from devreg.host import credentials as stored
from devreg.model.address import Address
from devreg.model.errors import DevregError, NotAuthorized, UploadFailed, UsageError
from devreg.model.events import Listener, Step
from devreg.model.reference import Destination, Reference
from devreg.model.results import Pulled, Pushed


@dataclass(frozen=True)
class Pushes:
    """What came of pushing several images: those that are up, and why the others are not, by image."""

    pushed: tuple[Pushed, ...]
    failed: tuple[tuple[str, DevregError], ...]


def target(image: str, default: Destination, to: Destination | None = None) -> Reference:
    """What `image` is called in the registry: `to` decides, else the registry in its name, else `default`.

    Raises UsageError for what is no reference.
    """
    name = Reference.parse(image)
    if to is not None:
        return name.at(to.registry, to.prefix)
    return name if name.registry else name.at(default.registry, default.prefix)


def tag(engine: Engine, image: str, name: Reference) -> str:
    """Give a local image the name it has in the registry. Raises NotFound when there is no such image."""
    images.tag(engine, image, name)
    return str(name)


def push(
    engine: Engine,
    wanted: Sequence[str],
    *,
    default: Destination,
    to: Destination | None,
    timeout: float,
    listener: Listener,
) -> Pushes:
    """Tag and push each image; one that fails does not keep the others from being pushed."""
    targets = [(image, target(image, default, to)) for image in wanted]
    pushed: list[Pushed] = []
    failed: list[tuple[str, DevregError]] = []
    for image, name in targets:
        try:
            pushed.append(_push_one(engine, image, name, timeout, listener))
        except DevregError as error:
            failed.append((image, error))
    return Pushes(tuple(pushed), tuple(failed))


def pull(engine: Engine, name: Reference, listener: Listener) -> Pulled:
    """Pull an image. Raises NotFound, NotAuthorized or RegistryUnreachable."""
    registry = _registry(name)
    listener(Step(f"pulling {name}"))
    transfer = images.pull(engine, name, stored.lookup(registry), listener)
    return Pulled(str(name), transfer.digest or name.digest or "", changed=transfer.fresh)


def _push_one(engine: Engine, image: str, name: Reference, timeout: float, listener: Listener) -> Pushed:
    if name.digest:
        raise UsageError(f"{name} names a digest; the registry computes it", hint="push a tag: NAME:TAG")
    if images.is_id(engine, image):
        raise UsageError(f"{image} is an image's id, not a name", hint=f"name it first: `devreg tag {image} NAME:TAG`")
    images.tag(engine, image, name)
    registry = _registry(name)
    credentials = stored.lookup(registry)
    if credentials:
        _refuse_stale(registry, name, timeout)
    listener(Step(f"pushing {name}"))
    try:
        transfer = images.push(engine, name, credentials, listener)
    except UploadFailed as error:
        raise UploadFailed(error.message, hint=_next_step(registry, timeout)) from error
    tagged = f"{name.name}:{name.version}"
    if transfer.digest is None:
        raise UploadFailed(
            f"the engine did not say the digest of {tagged}", hint="push again, and report the engine's version"
        )
    return Pushed(image, tagged, transfer.digest, "engine", transfer.bytes_sent, transfer.layers)


def _refuse_stale(registry: Address, name: Reference, timeout: float) -> None:
    """Credentials that the registry refuses fail here with its reason; the engine would try for most of a minute.

    Whatever else goes wrong is left to the engine, which may have another way to the registry.
    """
    try:
        with open_registry(registry, timeout=timeout) as opened:
            opened.prove_write(name.repository)
    except NotAuthorized:
        raise
    except DevregError:
        return


def _next_step(registry: Address, timeout: float) -> str:
    """What to do about a failed push, found by asking the registry rather than by reading the engine's sentence."""
    try:
        with open_registry(registry, timeout=timeout):
            if stored.lookup(registry) is None:
                return f"no credentials are stored: `devreg login {registry}`"
            return "devreg reaches the registry and may write: the engine's log may say more"
    except DevregError as error:
        return error.hint


def _registry(name: Reference) -> Address:
    return name.registry or Address("docker.io")
