"""A registry of one repository as a script, which deletes as distribution 2.8, distribution 3 or zot do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal

from devreg.model.manifest import DOCKER_IMAGE, OCI_IMAGE, OCI_INDEX
from devreg.model.wire import digest_of
from tests.http.server import Answer, Asked, Blobs, error_answer, json_answer

REPOSITORY = "team/app"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
UNSUPPORTED = error_answer(405, "UNSUPPORTED", "The operation is unsupported.")
RESET = Answer(reset=True)

Before = Callable[[Asked], Answer | None]


class Deleting:
    """`kind` tells how it deletes. `before` may answer a request in its stead, `after` once it was done."""

    def __init__(self, kind: Literal["2.8", "3", "zot", "disabled"] = "2.8") -> None:
        self.kind = kind
        self.tags: dict[str, str] = {}
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.blobs = Blobs()
        self.before: Before = lambda _asked: None
        self.after: Before = lambda _asked: None

    def image(self, *tags: str, created: str = "2024-05-06T07:08:09Z", layer: str = "layer") -> str:
        """Let tags stand for an image; its digest."""
        config = json.dumps({"created": created, "os": "linux", "architecture": "amd64", "layer": layer}).encode()
        self.blobs.blobs |= {digest_of(config): config, digest_of(layer.encode()): layer.encode()}
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_IMAGE,
            "config": {"mediaType": CONFIG_TYPE, "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": "x", "digest": digest_of(layer.encode()), "size": len(layer)}],
        }
        return self.put(json.dumps(document).encode(), DOCKER_IMAGE, tags)

    def artifact(self, subject: str, *tags: str) -> str:
        """Let tags stand for something that refers to a manifest, as SBOMs do; its digest."""
        document = json.loads(self.manifests[subject][0])
        document |= {"mediaType": OCI_IMAGE, "artifactType": "application/x", "subject": {"digest": subject}}
        return self.put(json.dumps(document).encode(), OCI_IMAGE, tags)

    def index(self, children: list[str], *tags: str) -> str:
        """Let tags stand for an index of manifests; its digest."""
        entries = [
            {"mediaType": DOCKER_IMAGE, "digest": each, "size": len(self.manifests[each][0])} for each in children
        ]
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
        return self.put(body, OCI_INDEX, tags)

    def __call__(self, asked: Asked) -> Answer:
        if instead := self.before(asked):
            return instead
        answer = self._answer(asked)
        return self.after(asked) or answer

    def put(self, body: bytes, media_type: str, tags: tuple[str, ...]) -> str:
        """Let tags stand for a manifest; its digest."""
        digest = digest_of(body)
        self.manifests[digest] = (body, media_type)
        self.tags |= dict.fromkeys(tags, digest)
        return digest

    def _answer(self, asked: Asked) -> Answer:
        path = asked.path.removeprefix(f"/v2/{REPOSITORY}/")
        kind, _, reference = path.partition("/")
        if path == asked.path:
            return error_answer(404, "NAME_UNKNOWN")
        if kind == "tags":
            return json_answer({"name": REPOSITORY, "tags": list(self.tags)})
        if kind == "blobs":
            content = self.blobs.blobs.get(reference)
            return Answer(200, content) if asked.method == "GET" and content is not None else self.blobs(asked)
        if kind != "manifests":
            return error_answer(404, "NOT_FOUND")
        if asked.method == "DELETE":
            return self._delete(reference)
        if asked.method == "PUT":
            self.put(asked.body, asked.headers["content-type"], () if ":" in reference else (reference,))
            return Answer(201, headers={"Docker-Content-Digest": digest_of(asked.body)})
        digest = self.tags.get(reference, reference)
        if digest not in self.manifests:
            return error_answer(404, "MANIFEST_UNKNOWN")
        body, media_type = self.manifests[digest]
        return Answer(200, body, {"Content-Type": media_type, "Docker-Content-Digest": digest})

    def _delete(self, reference: str) -> Answer:
        if self.kind == "disabled":
            return UNSUPPORTED
        if ":" not in reference:
            if self.kind == "2.8":
                return error_answer(400, "DIGEST_INVALID")
            if reference not in self.tags:
                return error_answer(404, "MANIFEST_UNKNOWN")
            digest = self.tags.pop(reference)
            if self.kind == "zot" and digest not in self.tags.values():
                del self.manifests[digest]
            return Answer(202)
        if reference not in self.manifests:
            return error_answer(404, "MANIFEST_UNKNOWN")
        if self.kind == "zot" and any(reference.encode() in body for body, _ in self.manifests.values()):
            return error_answer(405, "DENIED", "manifest referenced by index image")
        del self.manifests[reference]
        self.tags = {tag: digest for tag, digest in self.tags.items() if digest != reference}
        return Answer(202)
