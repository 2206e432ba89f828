"""What a table says of a manifest: found by reading it, what an index leads to, and the configs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field

from devreg.model import schema1
from devreg.model.body import Body
from devreg.model.errors import NotFound, RegistryUnreachable
from devreg.model.imageconfig import annotated, created, platform
from devreg.model.manifest import Descriptor, Kind, Manifest
from devreg.model.wire import json_object, unusable
from devreg.remote.contents import Contents, parsed

MAX_IMAGES = 1000
"""That one index names. Real ones have a few dozen, and each is up to two requests."""


@dataclass(frozen=True)
class Facts:
    """Of one manifest. `size`: bytes of the layers and configs, of all images of an index; None for schema 1.

    `created`: of the newest image, RFC 3339, else what its annotation says, None when unknown. `blobs`: the size of
    everything that is stored for it, by digest.
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
        for body, manifest, config in _images(self.contents, new):
            self._known[repository, manifest.digest] = _facts(body, manifest, [manifest], [config])

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
        facts = _facts(body, manifest, images, self._configs(repository, body, manifest, images))
        if body.digest:  # signed schema 1 may come without one
            self._known[where] = facts
        return facts

    def _images_of(self, repository: str, manifest: Manifest) -> list[Manifest]:
        """The manifest itself, or those that an index leads to, each once, and with them the indexes within it.

        An index may name images that were never copied along with it, or were deleted: they take up nothing. So each is
        asked for once also where the cache has it, which may be from another repository, or from before.
        """
        if manifest.kind != "index":
            return [manifest]
        found: dict[str, Manifest] = {}
        named = [child.digest for child in manifest.children]
        for digest in named:  # it grows meanwhile
            if len(named) > MAX_IMAGES:
                raise unusable(f"an index of more than {MAX_IMAGES} images")
            if digest not in found:
                with suppress(NotFound):
                    found[digest] = self._image(repository, digest)
                    named += [child.digest for child in found[digest].children]
        return list(found.values())

    def _configs(
        self, repository: str, body: Body, manifest: Manifest, images: Sequence[Manifest]
    ) -> list[dict[str, object]]:
        """Those of the images. Schema 1 has its own within the manifest; what makes no sense there says nothing."""
        if manifest.kind != "schema1":
            return [self._config(repository, image) for image in images]
        with suppress(RegistryUnreachable):
            return [schema1.config(json_object(body.content, "the manifest"))]
        return []

    def _config(self, repository: str, image: Manifest) -> dict[str, object]:
        try:
            return self.contents.config(repository, image)
        except NotFound as error:  # the tag is there
            raise RegistryUnreachable(error.message, hint=error.hint) from error

    def _image(self, repository: str, digest: str) -> Manifest:
        where = repository, digest
        if where not in self._images:
            self._images[where] = parsed(self.contents.there(repository, digest))
        return self._images[where]


def _images(contents: Contents, digests: Set[str]) -> Iterator[tuple[Body, Manifest, dict[str, object]]]:
    """The images that the cache has, each with its config."""
    manifests: list[tuple[Body, Manifest, Descriptor]] = []
    for body in contents.kept(digests).values():
        with suppress(RegistryUnreachable):
            manifest = parsed(body)
            if manifest.kind == "image" and manifest.config:
                manifests.append((body, manifest, manifest.config))
    configs = contents.kept({config.digest for _, _, config in manifests})
    for body, manifest, config in manifests:
        if config.digest in configs:
            with suppress(RegistryUnreachable):
                yield body, manifest, json_object(configs[config.digest].content, "the config")


def _facts(body: Body, manifest: Manifest, images: Sequence[Manifest], configs: Sequence[dict[str, object]]) -> Facts:
    sizes = [image.content_size for image in images if image.kind != "index"]
    times = [time for config in configs if (time := created(config))]
    named = dict.fromkeys(each for index in (manifest, *images) for each in index.platforms)
    return Facts(
        digest=manifest.digest,
        media_type=manifest.media_type,
        kind=manifest.kind,
        size=None if None in sizes else sum(size for size in sizes if size is not None),
        # Artifacts have no config that tells.
        created=max(times) if times else annotated(json_object(body.content, "the manifest")),
        platforms=tuple(named or dict.fromkeys(filter(None, map(platform, configs)))),
        blobs={
            manifest.digest: manifest.size,
            **{image.digest: image.size for image in images},
            **{blob.digest: blob.size for image in images for blob in (*image.layers, image.config) if blob},
        },
    )
