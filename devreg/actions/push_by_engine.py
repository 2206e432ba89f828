"""The engine's own push: it knows best where little is missing."""

from __future__ import annotations

from devreg.actions.reach import open_registry
from devreg.engine import images
from devreg.engine.client import Engine
from devreg.host import credentials as stored
from devreg.model.address import Address
from devreg.model.errors import DevregError, NotAuthorized, UploadFailed
from devreg.model.events import Listener, Step
from devreg.model.reference import Reference
from devreg.model.results import Pushed


class NotByEngine(UploadFailed):
    """The engine did not push an image that devreg may push itself, as far as that can be known before it tries."""


def push(engine: Engine, image: str, name: Reference, timeout: float, listener: Listener) -> Pushed:
    """Tag and push an image. Raises UploadFailed or NotByEngine with the registry's reason, NotAuthorized, NotFound."""
    registry = name.registry or Address("docker.io")
    images.tag(engine, image, name)
    credentials = stored.lookup(registry)
    if credentials:
        _refuse_stale(registry, name, timeout)
    listener(Step(f"pushing {name}"))
    try:
        transfer = images.push(engine, name, credentials, listener)
    except UploadFailed as error:
        raise _explained(error, registry, name, timeout) from error
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


def _explained(error: UploadFailed, registry: Address, name: Reference, timeout: float) -> DevregError:
    """A failed push with what to do about it, found by asking the registry rather than by reading the engine's
    sentence."""
    try:
        with open_registry(registry, timeout=timeout) as opened:
            opened.prove_write(name.repository)
    except NotAuthorized as why:
        return NotAuthorized(error.message, hint=why.hint)
    except DevregError as why:
        return UploadFailed(error.message, hint=why.hint)
    return NotByEngine(
        error.message,
        hint="devreg reaches the registry and may write: `devreg push --via direct` may do what the engine does not",
    )
