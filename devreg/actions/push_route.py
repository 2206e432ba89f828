"""Which way an image of the engine goes up: what is there already is found out, then the model decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from devreg.actions.naming import Target
from devreg.direct import engine_image
from devreg.direct.known import known_layers, whole
from devreg.direct.manifests import Raised
from devreg.direct.placer import Placer
from devreg.direct.there import refuse_clobber, there
from devreg.engine import images
from devreg.engine.export import export
from devreg.host import layer_store
from devreg.host.layer_store import StoreChanged, StoredImage
from devreg.model.content import Spent
from devreg.model.engine import EngineInfo, LocalImage
from devreg.model.errors import ArchiveUnusable, DevregError, NotAuthorized, UploadFailed
from devreg.model.manifest import Descriptor
from devreg.model.route import Obstacle, Situation, choose

if TYPE_CHECKING:
    from devreg.engine.client import Engine

Via = Literal["auto", "engine", "direct"]
_EXPORTS = 4


@dataclass(frozen=True)
class Planned:
    """The way an image goes, and why. `raise_by` puts it up directly; None where only the engine may do it."""

    route: Literal["engine", "direct"]
    reason: str
    raise_by: Callable[[Placer], Raised] | None = None


def plan(
    engine: Engine, local: LocalImage, target: Target, placer: Callable[[], Placer], via: Via, *, no_clobber: bool
) -> Planned:
    """Choose the way. Nothing is sent for it, but layers are mounted. `placer` opens the registry.

    Raises RefusedOverwrite, NotAuthorized, EngineUnreachable, and what opening the registry does where only the direct
    way is wanted, or the tags there have to be known.
    """
    if no_clobber:
        refuse_clobber(placer(), target.tags, local.id)
    if via == "engine":
        return Planned("engine", "as asked for")
    if target.registry.is_hub and via == "auto":
        return Planned("engine", f"it is for {target.registry}")
    try:
        return _chosen(engine, local, target, placer(), via)
    except DevregError as error:
        # Podman may have credentials of its own; Docker's engine gets those that devreg has.
        if via == "direct" or (isinstance(error, NotAuthorized) and not engine.info().podman):
            raise
        return Planned("engine", f"devreg does not get as far itself ({error.message})")


def _chosen(engine: Engine, local: LocalImage, target: Target, at: Placer, via: Via) -> Planned:
    if found := there(at, target.tags, local.id):
        return Planned("direct", "it is there already", lambda _: found)
    info = engine.info()
    known = {} if info.containers_store else known_layers(at, local.diff_ids, target.tags)
    if not info.containers_store and (complete := whole(at, local.id, local.diff_ids, known)):
        return Planned("direct", "all its layers are there already", lambda _: complete)
    stored = _stored(engine, local, info)
    directly = _directly(engine, local, info, known, stored)
    if via == "direct":
        return Planned("direct", "as asked for", directly)
    choice = choose(
        Situation(
            registry=str(target.registry),
            size=local.size,
            layers=len(local.diff_ids),
            missing=images.layer_sizes(engine, local, [each for each in local.diff_ids if each not in known]),
            cores=info.cores,
            containers_store=info.containers_store,
            readable=stored is not None,
            obstacle=_obstacle(info, target, at),
        )
    )
    return Planned(choice.route, choice.reason, directly)


def _obstacle(info: EngineInfo, target: Target, at: Placer) -> Obstacle | None:
    """What keeps the engine from pushing there, as far as can be known before it tries."""
    address = target.registry
    if not address.is_loopback and not info.trusts(address) and at.registry.scheme == "http":
        return Obstacle.UNTRUSTED
    # Graph drivers take a challenge from GET /v2/ only, and never react to one at the first write (measured).
    if not info.containers_store and not at.registry.challenges and at.registry.prove_write(target.repository):
        return Obstacle.UNANSWERED
    return None


def _stored(engine: Engine, local: LocalImage, info: EngineInfo) -> StoredImage | None:
    """The image where the engine keeps it, if this user may read there."""
    if info.containers_store or not engine.is_local:
        return None
    return layer_store.find(info.data_root, info.storage_driver, local.id, local.diff_ids)


def _directly(
    engine: Engine, local: LocalImage, info: EngineInfo, known: Mapping[str, Descriptor], stored: StoredImage | None
) -> Callable[[Placer], Raised]:
    def raise_by(placer: Placer) -> Raised:
        if stored is not None:
            with suppress(StoreChanged, ArchiveUnusable):  # the engine's own word, its export, is good all the same
                return engine_image.from_store(placer, local, stored, known)
        for _ in range(_EXPORTS):
            try:
                if info.containers_store:
                    return engine_image.from_blobs(placer, local, export(engine, local.id))
                return engine_image.from_layers(placer, local, known, export(engine, local.id))
            except Spent:  # the upload goes on from where it is, with the export from its start
                continue
        raise UploadFailed(
            f"the connection to {placer.address} breaks too often: {_EXPORTS} exports were not enough",
            hint="push again: it goes on where it was",
        )

    return raise_by
