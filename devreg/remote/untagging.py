"""How a tag is taken away while what it stands for stays: by the registry, or in spite of it.

Registries such as distribution 2.8 delete by digest only, and then every tag that stands for it. There, the tag is
first made to stand for an image of its own, a stand-in that is like no other, which is then deleted by its digest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

from devreg.model.body import Body
from devreg.model.errors import DevregError, NotFound, RefusedOverwrite, RegistryUnreachable, RollbackFailed
from devreg.model.manifest import DOCKER_IMAGE
from devreg.model.wire import digest_of
from devreg.registry.client import Registry

_LOG = "look at the registry's log, and at what stands between (proxy, cache)"
_CONFIG = "application/vnd.docker.container.image.v1+json"


def untag(registry: Registry, repository: str, tag: str, digest: str) -> None:
    """Take a tag away that stands for `digest`. What else stands for that is not touched.

    Raises RefusedOverwrite where the tag stands for something else by now, RollbackFailed where it stands for the
    stand-in and could not be put back, and else, with nothing changed, what hindered it.
    """
    _check(registry, repository, tag, digest)
    try:
        done = registry.untag(repository, tag)
    except (RegistryUnreachable, NotFound):
        if stands_for(registry, repository, tag) is not None:
            raise
        return  # done, by a request whose answer was lost, or by somebody else
    if not done:
        _by_stand_in(registry, repository, tag, digest)
    elif stands_for(registry, repository, tag) == digest:
        raise RegistryUnreachable(f"the registry says that {repository}:{tag} is deleted, and still has it", hint=_LOG)


def stands_for(registry: Registry, repository: str, tag: str) -> str | None:
    """The digest that a tag stands for now; None for a tag that there is not."""
    try:
        return registry.head_manifest(repository, tag).digest
    except NotFound:
        return None


def _check(registry: Registry, repository: str, tag: str, digest: str) -> None:
    now = stands_for(registry, repository, tag)
    if now is None:
        raise NotFound(f"{repository}:{tag} is gone already", hint="nothing was changed; nothing is left to do")
    if now != digest:
        raise RefusedOverwrite(
            f"{repository}:{tag} has been pushed meanwhile: it stands for {now}, not for {digest}",
            hint="it was left alone; run the command again if that is to go, too",
        )


def _by_stand_in(registry: Registry, repository: str, tag: str, digest: str) -> None:
    before = Body(*registry.manifest_body(repository, digest))
    config = _Config.naming(tag, digest)
    registry.upload(repository, config, begun=None, note=lambda _url: None, progress=lambda _bytes, _what: None)
    manifest = config.manifest()
    stand_in = digest_of(manifest)
    _check(registry, repository, tag, digest)
    try:
        registry.put_manifest(repository, tag, manifest, DOCKER_IMAGE)
        registry.delete_manifest(repository, stand_in)
        if stands_for(registry, repository, tag) == stand_in:
            raise RegistryUnreachable(f"the registry has not deleted {repository}@{stand_in}, as it says", hint=_LOG)
    except BaseException as error:
        state = _put_back(registry, repository, tag, before, stand_in, error)
        if not isinstance(error, DevregError):
            raise
        if state == "back":
            back = f"{repository}:{tag} was put back: it stands for {digest} as before"
            raise type(error)(f"{error.message}; {back}", hint=error.hint) from error
        if state == "not ours":
            raise


def _put_back(
    registry: Registry, repository: str, tag: str, before: Body, stand_in: str, error: BaseException
) -> Literal["gone", "not ours", "back"]:
    """Let the tag stand for what it stood for, if it stands for the stand-in. Raises RollbackFailed."""
    try:
        now = stands_for(registry, repository, tag)
    except DevregError:
        now = stand_in  # it may be: putting back what was there does no harm
    if now != stand_in:
        return "gone" if now is None else "not ours"
    try:
        registry.put_manifest(repository, tag, before.content, before.media_type)
    except DevregError as second:
        with suppress(DevregError):  # a signed schema 1 manifest has another digest than its body
            if stands_for(registry, repository, tag) == before.digest:
                return "back"
        raise RollbackFailed(
            f"{repository}:{tag} may stand for an empty image now ({stand_in}), put there to take the tag away: "
            f"{error.message if isinstance(error, DevregError) else 'interrupted'}; {before.digest}, which it stood "
            f"for, is still there, but could not be put back: {second.message}",
            hint=f"`devreg rm {repository}:{tag}` takes the tag away, "
            f"`devreg retag {repository}@{before.digest} {tag}` puts it back",
        ) from error
    return "back"


@dataclass(frozen=True)
class _Config:
    """The config of a stand-in, the one blob of it: a devreg.model.content.Content."""

    content: bytes

    @classmethod
    def naming(cls, tag: str, digest: str) -> _Config:
        """One that is like no other, and tells what it stands in for: for whoever finds it after a crash."""
        labels = {"io.devreg.standing-in-for": f"{tag}@{digest}", "io.devreg.id": uuid4().hex}
        image = {"architecture": "unknown", "os": "unknown", "config": {"Labels": labels}}
        return cls(json.dumps({**image, "rootfs": {"type": "layers", "diff_ids": []}}).encode())

    @property
    def digest(self) -> str:
        return digest_of(self.content)

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, offset: int) -> Iterator[bytes]:
        yield self.content[offset:]

    def manifest(self) -> bytes:
        """Of an image without layers."""
        config = {"mediaType": _CONFIG, "digest": self.digest, "size": self.size}
        return json.dumps({"schemaVersion": 2, "mediaType": DOCKER_IMAGE, "config": config, "layers": []}).encode()
