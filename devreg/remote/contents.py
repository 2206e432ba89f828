"""The manifests and configs of one registry. What a digest stands for never changes: it is read once, and kept."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from threading import Lock

from devreg.host.content_cache import ContentCache
from devreg.model.body import Body
from devreg.model.errors import DevregError
from devreg.model.manifest import Descriptor, Manifest, parse_manifest
from devreg.model.wire import is_digest, json_object
from devreg.registry.client import Registry


class Contents:
    """A registry with a cache before it. Safe to use from several threads.

    Every method raises RegistryUnreachable, NotAuthorized or NotFound.
    """

    def __init__(self, registry: Registry, cache: ContentCache) -> None:
        self.registry = registry
        self._cache = cache
        self._lock = Lock()
        self._reading: dict[str, Future[Body]] = {}

    def holds(self, digest: str) -> bool:
        """Whether it is in the cache."""
        return self._cache.get(digest) is not None

    def kept(self, digests: Collection[str]) -> dict[str, Body]:
        """Those of them that are in the cache, by their digests."""
        return self._cache.get_all(digests)

    def head(self, repository: str, tag: str) -> Descriptor:
        """What a tag stands for now: type, digest, size in bytes."""
        return self.registry.head_manifest(repository, tag)

    def body(self, repository: str, reference: str) -> Body:
        """The manifest that a tag or digest stands for, as its bytes."""
        if is_digest(reference):
            return self._once(reference, lambda: self._fetched(repository, reference))
        return self._fetched(repository, reference)

    def there(self, repository: str, reference: str) -> Body:
        """As `body`, of what the repository has now: the cache may know a digest from another, or from before."""
        if is_digest(reference) and self.holds(reference):
            self.head(repository, reference)
        return self.body(repository, reference)

    def current(self, repository: str, tag: str) -> Body:
        """As `body`, for a tag whose manifest is probably in the cache: asked is only what it stands for now."""
        return self.body(repository, self.head(repository, tag).digest)

    def manifest(self, repository: str, reference: str) -> Manifest:
        """The manifest that a tag or digest stands for."""
        return parsed(self.body(repository, reference))

    def config(self, repository: str, manifest: Manifest) -> dict[str, object]:
        """The config of an image; {} for what is no image."""
        config = manifest.config
        if manifest.kind != "image" or config is None:
            return {}
        body = self._once(config.digest, lambda: self._fetched_config(repository, config))
        return json_object(body.content, "the config")

    def _fetched(self, repository: str, reference: str) -> Body:
        content, media_type, digest = self.registry.manifest_body(repository, reference)
        body = Body(content, media_type, digest)
        self._cache.put(body)
        return body

    def _fetched_config(self, repository: str, config: Descriptor) -> Body:
        body = Body(self.registry.config(repository, config), config.media_type, config.digest)
        self._cache.put(body)
        return body

    def _once(self, digest: str, fetch: Callable[[], Body]) -> Body:
        """From the cache, or by `fetch`; threads that want the same digest at once share an answer."""
        with self._lock:
            known = self._reading.get(digest)
            mine = known is None
            waited = self._reading[digest] = known or Future()
        if not mine:
            try:
                return waited.result()
            except DevregError:
                return fetch()  # the other may have asked another repository
        try:
            waited.set_result(self._cache.get(digest) or fetch())
        except BaseException as error:
            waited.set_exception(error)
        finally:
            with self._lock:
                del self._reading[digest]
        return waited.result()


def parsed(body: Body) -> Manifest:
    """A manifest's body, read. Raises RegistryUnreachable for what is none."""
    return parse_manifest(body.content, media_type=body.media_type, digest=body.digest)
