"""What is in a registry: repositories, and tags with what their manifests and configs say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from devreg.actions.reach import open_registry
from devreg.model.address import Address
from devreg.model.errors import DevregError
from devreg.model.imageconfig import created, platform
from devreg.model.manifest import Manifest
from devreg.model.reference import Reference
from devreg.model.results import Repository, Tag
from devreg.registry.client import Registry

_PARALLEL = 8


def repositories(address: Address, *, timeout: float) -> tuple[Repository, ...]:
    """Every repository, sorted. Raises NotAuthorized or NotFound where the registry keeps the list to itself."""
    with open_registry(address, timeout=timeout) as registry:
        return tuple(map(Repository, sorted(registry.repositories())))


def tags(name: str, *, default: Address, timeout: float) -> tuple[Tag, ...]:
    """Every tag of a repository, sorted by name. `name` may carry its registry. Raises NotFound, UsageError.

    A tag that cannot be read, or went away meanwhile, is a row that says so in `error`.
    """
    reference = Reference.parse(name)
    with open_registry(reference.registry or default, timeout=timeout) as registry:
        names = sorted(registry.tags(reference.repository))
        with ThreadPoolExecutor(_PARALLEL) as pool:
            return tuple(pool.map(lambda tag: _tag(registry, reference.repository, tag), names))


def _tag(registry: Registry, repository: str, name: str) -> Tag:
    try:
        manifest = registry.manifest(repository, name)
        images = _images(registry, repository, manifest)
        sizes = [image.content_size for image in images]
        configs = [_config(registry, repository, image) for image in images]
    except DevregError as error:
        return Tag(repository, name, error=error.message)
    times = [time for config in configs if (time := created(config))]
    return Tag(
        repository=repository,
        name=name,
        digest=manifest.digest,
        size=None if None in sizes else sum(size for size in sizes if size is not None),
        created=max(times, default=None),
        platforms=manifest.platforms or tuple(filter(None, map(platform, configs))),
        media_type=manifest.media_type,
    )


def _images(registry: Registry, repository: str, manifest: Manifest) -> list[Manifest]:
    """The manifest itself, or those that an index leads to. An index in an index is no platform's image."""
    if manifest.kind != "index":
        return [manifest]
    children = [registry.manifest(repository, child.digest) for child in manifest.children]
    return [child for child in children if child.kind != "index"]


def _config(registry: Registry, repository: str, manifest: Manifest) -> dict[str, object]:
    """The image's config; nothing for what is no image."""
    if manifest.kind != "image" or manifest.config is None:
        return {}
    return registry.blob_json(repository, manifest.config)
