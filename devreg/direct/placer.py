"""One repository of a registry, as a place to put blobs: none is sent that is there already, or can be mounted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from devreg.host.push_cache import PushCache
from devreg.model import docker_manifest
from devreg.model.address import Address
from devreg.model.content import Content
from devreg.model.events import Layer, Listener
from devreg.model.manifest import Descriptor
from devreg.model.results import Layers
from devreg.registry.client import Registry


@dataclass(frozen=True)
class Blob:
    """A blob to be placed. `name`: what people and the cache know it by, a digest: a layer's diffID, or its own.
    `candidates`: blobs that would do, as earlier pushes made them. `key`: what a broken upload is found by."""

    name: str
    media_type: str
    total: int
    candidates: tuple[Descriptor, ...] = ()
    key: str | None = None


class Placer:
    """Puts blobs into one repository. Safe to use from several threads."""

    def __init__(
        self, registry: Registry, address: Address, repository: str, cache: PushCache, listener: Listener
    ) -> None:
        self.registry = registry
        self.address = address
        self.repository = repository
        self.cache = cache
        self._listener = listener
        self._lock = Lock()
        self._placed: dict[str, Descriptor] = {}
        self._told: dict[str, list[Descriptor]] = {}
        self._layers = Layers()
        self._bytes_sent = 0

    def is_placed(self, name: str) -> bool:
        """Whether the blob with the digest `name` was placed, or found, by this placer."""
        return name in self._placed

    def told(self, diff_id: str, blob: Descriptor) -> None:
        """Which blob is a layer, by the word of an image in this repository: good for this repository only."""
        self._told.setdefault(diff_id, []).append(blob)

    def candidates(self, diff_id: str, media_type: str, accepted: Sequence[str]) -> tuple[Descriptor, ...]:
        """The blobs that a layer is known to have become, of those types that a manifest may call `media_type`."""
        known = {each.digest: each for each in (*self.cache.blobs(diff_id), *self._told.get(diff_id, ()))}
        return tuple(replace(each, media_type=media_type) for each in known.values() if each.media_type in accepted)

    def existing(self, blob: Blob, *, mount: bool = True) -> Descriptor | None:
        """A blob that would do and is there, or is mounted now from another repository; None for none."""
        if done := self._placed.get(blob.key or blob.name):
            return done
        for candidate in blob.candidates:
            size = self.registry.has_blob(self.repository, candidate.digest)
            if size is not None:
                self._count(blob, existing=1)
                return self._done(blob, replace(candidate, size=size), "Already there")
        for candidate in blob.candidates if mount else ():
            if source := self._mounted(candidate):
                size = candidate.size or self.registry.has_blob(self.repository, candidate.digest) or 0
                self._count(blob, mounted=1)
                return self._done(blob, replace(candidate, size=size), f"Mounted from {source}")
        return None

    def place(
        self, blob: Blob, content: Content, meter: Meter | None = None, check: Callable[[], None] = lambda: None
    ) -> Descriptor:
        """The blob's descriptor, once it is up. `check` is called then, before it is remembered what the blob is.

        Raises UploadFailed, NotAuthorized, RegistryUnreachable, Spent, and what reading the content or `check` does.
        """
        if found := self.existing(blob):
            return found
        key = blob.key or content.digest or blob.name
        begun = self.cache.open_upload(self.address, self.repository, key)
        status = "Compressing" if meter else "Pushing"

        def progress(sent: int, words: str) -> None:
            nonlocal status
            status = words or status
            self._tell(blob, status, meter.bytes if meter else sent)

        sent = self.registry.upload(
            self.repository,
            content,
            begun=begun,
            note=lambda url: self.cache.keep_upload(self.address, self.repository, key, url),
            progress=progress,
        )
        self.cache.end_upload(self.address, self.repository, key)
        check()
        if content.digest is None or content.size is None:
            raise AssertionError("a blob that is up has a digest and a size")
        self._count(blob, sent=1, bytes_sent=sent)
        return self._done(blob, Descriptor(blob.media_type, content.digest, content.size), "Pushed")

    def take_counts(self) -> tuple[Layers, int]:
        """How many blobs were sent, mounted and found, and the bytes sent, since this was asked last."""
        with self._lock:
            counts = self._layers, self._bytes_sent
            self._layers, self._bytes_sent = Layers(), 0
            return counts

    def _mounted(self, candidate: Descriptor) -> str | None:
        for source in self.cache.repositories(self.address, candidate.digest):
            if source == self.repository:
                continue
            if self.registry.mount(self.repository, candidate.digest, source):
                return source
            self.cache.forget(self.address, source, candidate.digest)
        return None

    def _done(self, blob: Blob, descriptor: Descriptor, status: str) -> Descriptor:
        diff_id = None if blob.name == descriptor.digest else blob.name
        if status != "Pushed" and any(each.digest == descriptor.digest for each in self._told.get(blob.name, ())):
            diff_id = None  # another's word, which the cache would carry to other registries
        self.cache.learn(self.address, self.repository, ((diff_id, descriptor),))
        self._tell(blob, status, blob.total, done=True)
        self._placed[blob.key or blob.name] = descriptor  # a diffID is the digest of a blob too, of the bare layer
        return descriptor

    def _tell(self, blob: Blob, status: str, current: int, *, done: bool = False) -> None:
        if _is_layer(blob):
            self._listener(Layer(_short(blob.name), status, current, blob.total, done=done))

    def _count(self, blob: Blob, *, sent: int = 0, mounted: int = 0, existing: int = 0, bytes_sent: int = 0) -> None:
        with self._lock:
            self._bytes_sent += bytes_sent
            if _is_layer(blob):
                now = self._layers
                self._layers = Layers(now.sent + sent, now.mounted + mounted, now.existing + existing)


class Meter:
    """Counts the bytes of a source while they are read: how far a push is, where its blob's size is not known yet."""

    def __init__(self) -> None:
        self.bytes = 0

    def count(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The same blocks."""
        self.bytes = 0
        for block in blocks:
            self.bytes += len(block)
            yield block


def _is_layer(blob: Blob) -> bool:
    return not ("config" in blob.media_type or blob.media_type == docker_manifest.CONFIG)


def _short(digest: str) -> str:
    return digest.partition(":")[2][:12]
