"""What a table says of a manifest: found by reading it, what an index leads to, and the configs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field

from devreg.model import schema1
from devreg.model.body import Body
from devreg.model.errors import NotFound, RegistryUnreachable
from devreg.model.imageconfig import created, platform
from devreg.model.manifest import Descriptor, Kind, Manifest
from devreg.model.wire import json_object, unusable
from devreg.remote.contents import Contents, parsed

MAX_IMAGES = 1000
"""That one index names. Real ones have a few dozen, and each is up to two requests."""


@dataclass(frozen=True)
class Facts:
    """Of one manifest. `size`: bytes of the layers and configs, of all platforms of an index; None for schema 1.

    `created`: of the newest image, RFC 3339, None when unknown. `blobs`: the size of everything that is stored for it,
    by digest.
    """

    digest: str
    media_type: str
    kind: Kind
    size: int | None
    created: str | None
    platforms: tuple[str, ...]
    blobs: dict[str, int] = field(default_factory=dict, repr=False)


class Reader:
    """Finds the facts, each digest's once in a repository. Safe to use from several threads."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self._known: dict[tuple[str, str], Facts] = {}
        self._images: dict[tuple[str, str], Manifest] = {}

    def recall(self, repository: str, digests: Iterable[str]) -> None:
        """Find the facts of those that are single images and that the cache has whole: many at once are found in a
        fraction of the time. What an index leads to has to be asked for."""
        new = {digest for digest in digests if (repository, digest) not in self._known}
        for manifest, config in _images(self.contents, new):
            self._known[repository, manifest.digest] = _facts(manifest, [manifest], [config])

    def facts(self, repository: str, tag: str, last: str | None = None) -> Facts:
        """Of what a tag stands for now. `last`: the digest that it had before. Where that is known, only the digest is
        asked for, since it will hardly be another.

        Raises RegistryUnreachable, NotAuthorized and NotFound.
        """
        if last is None or not ((repository, last) in self._known or self.contents.holds(last)):
            return self._of(repository, self.contents.body(repository, tag))
        digest = self.contents.head(repository, tag).digest
        return self._known.get((repository, digest)) or self._of(repository, self.contents.body(repository, digest))

    def _of(self, repository: str, body: Body) -> Facts:
        where = repository, body.digest
        if (known := self._known.get(where)) is not None:
            return known
        manifest = parsed(body)
        images = self._images_of(repository, manifest)
        facts = _facts(manifest, images, self._configs(repository, body, manifest, images))
        if body.digest:  # signed schema 1 may come without one
            self._known[where] = facts
        return facts

    def _images_of(self, repository: str, manifest: Manifest) -> list[Manifest]:
        """The manifest itself, or those that an index leads to. An index in an index is no platform's image.

        An index may name images that were never copied along with it, or were deleted: they take up nothing. So each is
        asked for once also where the cache has it, which may be from another repository, or from before.
        """
        if manifest.kind != "index":
            return [manifest]
        if len(manifest.children) > MAX_IMAGES:
            raise unusable(f"an index of more than {MAX_IMAGES} images")
        found: list[Manifest] = []
        for child in manifest.children:
            with suppress(NotFound):
                found.append(self._image(repository, child.digest))
        return [each for each in found if each.kind != "index"]

    def _configs(
        self, repository: str, body: Body, manifest: Manifest, images: Sequence[Manifest]
    ) -> list[dict[str, object]]:
        """Those of the images. Schema 1 has its own within the manifest; what makes no sense there says nothing."""
        if manifest.kind != "schema1":
            return [self.contents.config(repository, image) for image in images]
        with suppress(RegistryUnreachable):
            return [schema1.config(json_object(body.content, "the manifest"))]
        return []

    def _image(self, repository: str, digest: str) -> Manifest:
        where = repository, digest
        if where not in self._images:
            self._images[where] = parsed(self.contents.there(repository, digest))
        return self._images[where]


def _images(contents: Contents, digests: Set[str]) -> Iterator[tuple[Manifest, dict[str, object]]]:
    """The images that the cache has, each with its config."""
    manifests: list[tuple[Manifest, Descriptor]] = []
    for body in contents.kept(digests).values():
        with suppress(RegistryUnreachable):
            manifest = parsed(body)
            if manifest.kind == "image" and manifest.config:
                manifests.append((manifest, manifest.config))
    configs = contents.kept({config.digest for _, config in manifests})
    for manifest, config in manifests:
        if config.digest in configs:
            with suppress(RegistryUnreachable):
                yield manifest, json_object(configs[config.digest].content, "the config")


def _facts(manifest: Manifest, images: Sequence[Manifest], configs: Sequence[dict[str, object]]) -> Facts:
    sizes = [image.content_size for image in images]
    times = [time for config in configs if (time := created(config))]
    return Facts(
        digest=manifest.digest,
        media_type=manifest.media_type,
        kind=manifest.kind,
        size=None if None in sizes else sum(size for size in sizes if size is not None),
        created=max(times, default=None),
        platforms=manifest.platforms or tuple(filter(None, map(platform, configs))),
        blobs={
            manifest.digest: manifest.size,
            **{image.digest: image.size for image in images},
            **{blob.digest: blob.size for image in images for blob in (*image.layers, image.config) if blob},
        },
    )
