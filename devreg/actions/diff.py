"""`devreg diff`: a local image against the registry's, and what a push or a pull would move."""

from __future__ import annotations

from collections.abc import Sequence

from devreg.actions.reach import open_registry
from devreg.direct.known import known_here
from devreg.direct.placer import Placer
from devreg.engine import images
from devreg.engine.client import Engine
from devreg.host.push_cache import PushCache
from devreg.model.engine import LocalImage
from devreg.model.errors import NotFound, UsageError
from devreg.model.events import silent
from devreg.model.imageconfig import diff_ids
from devreg.model.manifest import Manifest
from devreg.model.reference import Reference
from devreg.model.results import Difference
from devreg.registry.client import Registry


def diff(engine: Engine, image: str, name: Reference, *, timeout: float) -> Difference:
    """Compare. `name`: the image in the registry.

    Raises NotFound for no such local image, NotAuthorized, RegistryUnreachable; UsageError where the registry has no
    image for the local one's platform.
    """
    local = images.local(engine, image)
    if name.registry is None:
        raise UsageError(f"{name} names no registry", hint="write it as REGISTRY/NAME:TAG")
    with open_registry(name.registry, timeout=timeout) as registry, PushCache() as cache:
        placer = Placer(registry, name.registry, name.repository, cache, silent)
        up = known_here(placer, local.diff_ids, (name.version,))
        absent = [each for each in local.diff_ids if each not in up]
        remote = _remote(registry, name)
        there, layers = (None, ()) if remote is None else _image(registry, name, remote, local)
    same = local.id in _ids(remote, there)
    wanted = [] if same else _not_here(engine, local, layers)
    sizes = images.layer_sizes(engine, local, absent)
    return Difference(
        image=image,
        reference=f"{name.name}:{name.version}",
        state="missing" if remote is None else "same" if same else "differs",
        local=local.id,
        remote=remote.digest if remote else None,
        push_layers=len(absent),
        push_bytes=None if None in sizes else sum(size for size in sizes if size is not None),
        pull_layers=len(wanted),
        pull_bytes=sum(size for _, size in wanted),
    )


def _ids(remote: Manifest | None, image: Manifest | None) -> set[str]:
    """What engines may know the image by: containerd's store by the index or manifest, graph drivers by the config."""
    manifests = {each.digest for each in (remote, image) if each}
    return manifests | {image.config.digest} if image and image.config else manifests


def _remote(registry: Registry, name: Reference) -> Manifest | None:
    try:
        return registry.manifest(name.repository, name.version)
    except NotFound:
        return None


def _image(
    registry: Registry, name: Reference, remote: Manifest, local: LocalImage
) -> tuple[Manifest, tuple[tuple[str, int], ...]]:
    """The registry's image for the platform of the local one, and its layers: diffID and bytes as stored."""
    if remote.kind != "index":
        return remote, _layers(registry, name, remote)
    for child in remote.children:
        if child.platform is None or child.platform.startswith(local.platform):
            manifest = registry.manifest(name.repository, child.digest)
            return manifest, _layers(registry, name, manifest)
    raise UsageError(
        f"{name} is there for {', '.join(remote.platforms)}, and the local image is for {local.platform}",
        hint="compare with an image for one of those",
    )


def _layers(registry: Registry, name: Reference, manifest: Manifest) -> tuple[tuple[str, int], ...]:
    if manifest.kind != "image" or manifest.config is None:
        return ()
    found = diff_ids(registry.blob_json(name.repository, manifest.config))
    return tuple(zip(found, (layer.size for layer in manifest.layers), strict=False))


def _not_here(engine: Engine, local: LocalImage, layers: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The layers that neither this image nor any other of the engine has."""
    wanted = [each for each in layers if each[0] not in local.diff_ids]
    if not wanted:
        return []
    held = images.all_layers(engine)
    return [each for each in wanted if each[0] not in held]
