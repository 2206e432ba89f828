"""What a direct push works with: a registry in memory, and the cache of a machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from devreg.direct.placer import Placer
from devreg.host.push_cache import PushCache
from devreg.model.address import Address
from devreg.model.content import Content
from devreg.model.errors import NotFound, UploadFailed
from devreg.model.events import Listener, silent
from devreg.model.manifest import Descriptor, Manifest, parse_manifest
from devreg.registry.client import Registry
from tests.unit.direct.built import Json, sha256

HERE = Address("registry.example", 5000)
APP = "team/app"


@dataclass
class FakeRegistry:
    """What `devreg.registry.client.Registry` offers to a direct push, kept in memory, and as strict as registries are.

    `sent`: the digest of each blob that was uploaded. `keeps`: whether it remembers the bytes of blobs.
    """

    blobs: dict[str, dict[str, bytes | int]] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[bytes, str]] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    mounted: list[tuple[str, str]] = field(default_factory=list)
    begun: list[str | None] = field(default_factory=list)
    keeps: bool = True
    on_upload: Callable[[Content], None] = lambda _: None

    def has_blob(self, repository: str, digest: str) -> int | None:
        self.asked.append(digest)
        blob = self.blobs.get(repository, {}).get(digest)
        return len(blob) if isinstance(blob, bytes) else blob

    def mount(self, repository: str, digest: str, source: str) -> bool:
        blob = self.blobs.get(source, {}).get(digest)
        if blob is None:
            return False
        self.blobs.setdefault(repository, {})[digest] = blob
        self.mounted.append((source, digest))
        return True

    def upload(
        self,
        repository: str,
        content: Content,
        *,
        begun: str | None,
        note: Callable[[str], None],
        progress: Callable[[int, str], None],
    ) -> int:
        self.begun.append(begun)
        note(f"http://{HERE}/v2/{repository}/blobs/uploads/{len(self.begun)}")
        self.on_upload(content)
        total, kept = 0, []
        sums = {kind: hashlib.new(kind) for kind in ("sha256", "sha512")}
        for piece in content.read(0):
            total += len(piece)
            for each in sums.values():
                each.update(piece)
            if self.keeps:
                kept.append(bytes(piece))
            progress(total, "")
        if content.digest not in [f"{kind}:{each.hexdigest()}" for kind, each in sums.items()]:
            raise UploadFailed("DIGEST_INVALID", hint="")
        self.blobs.setdefault(repository, {})[content.digest] = b"".join(kept) if self.keeps else total
        self.sent.append(content.digest)
        return total

    def put_manifest(self, repository: str, reference: str, body: bytes, media_type: str) -> str:
        content = json.loads(body)
        has = self.blobs.get(repository, {})
        for each in (content.get("config"), *content.get("layers", ()), *content.get("blobs", ())):
            if each and not each.get("urls") and each["digest"] not in has:
                raise UploadFailed(f"BLOB_UNKNOWN {each['digest']}", hint="")
        for each in content.get("manifests", ()):
            if (repository, each["digest"]) not in self.manifests:
                raise UploadFailed(f"MANIFEST_UNKNOWN {each['digest']}", hint="")
        digest = sha256(body)
        self.manifests[repository, digest] = self.manifests[repository, reference] = body, media_type
        return digest

    def manifest_body(self, repository: str, reference: str) -> tuple[bytes, str, str]:
        if (repository, reference) not in self.manifests:
            raise NotFound(f"no {reference}", hint="")
        body, media_type = self.manifests[repository, reference]
        return body, media_type, sha256(body)

    def manifest(self, repository: str, reference: str) -> Manifest:
        body, media_type, digest = self.manifest_body(repository, reference)
        return parse_manifest(body, media_type=media_type, digest=digest)

    def head_manifest(self, repository: str, reference: str) -> Descriptor:
        body, media_type, digest = self.manifest_body(repository, reference)
        return Descriptor(media_type, digest, len(body))

    def blob_json(self, repository: str, descriptor: Descriptor) -> Json:
        blob = self.blobs.get(repository, {}).get(descriptor.digest)
        if blob is None:
            raise NotFound(f"no {descriptor.digest}", hint="")
        return cast(Json, json.loads(cast(bytes, blob)))

    def tags(self, repository: str) -> Iterator[str]:
        found = [name for at, name in self.manifests if at == repository and ":" not in name]
        if not found:
            raise NotFound(f"no {repository}", hint="")
        return iter(found)


@dataclass
class World:
    """A registry, and the machine that pushes to it."""

    cache: PushCache
    registry: FakeRegistry = field(default_factory=FakeRegistry)

    def placer(self, repository: str = APP, listener: Listener = silent) -> Placer:
        """What one run of devreg would use."""
        return Placer(cast(Registry, self.registry), HERE, repository, self.cache, listener)

    def named(self, repository: str = APP) -> list[str]:
        """The tags that there are."""
        return [name for at, name in self.registry.manifests if at == repository and ":" not in name]

    def forget(self) -> None:
        """Another machine's turn: nothing is known of earlier pushes."""
        self.cache.close()
