"""Registries as scripts for a ScriptedServer: one of two tags that is only read; one that keeps what it gets."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Container

from devreg.model.manifest import DOCKER_IMAGE
from devreg.model.wire import digest_of
from tests.http.server import Answer, Asked, Blobs, basic, error_answer, json_answer

PLATFORM = {"architecture": "arm64", "os": "linux", "variant": "v8"}
CONFIG = json.dumps({"created": "2024-05-06T07:08:09.123Z", **PLATFORM}).encode()
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": DOCKER_IMAGE,
        "config": {"mediaType": CONFIG_TYPE, "size": len(CONFIG), "digest": digest_of(CONFIG)},
        "layers": [{"mediaType": "x", "size": 1_000_000, "digest": digest_of(b"layer")}],
    }
).encode()
DIGEST = digest_of(MANIFEST)
SIZE = 1_000_000 + len(CONFIG)
LONG_TAG = "nightly-2024-05-06-with-a-name-that-goes-on-and-on"
USER, PASSWORD = "alice", "s3cret-pa55"


def answer(asked: Asked) -> Answer:
    """What the registry says; tag `broken` cannot be read."""
    if asked.path == "/v2/_catalog":
        return json_answer({"repositories": ["team/app", "zoo"]})
    if asked.path == "/v2/team/app/tags/list":
        return json_answer({"name": "team/app", "tags": [LONG_TAG, "1.0"]})
    if asked.path == "/v2/half/tags/list":
        return json_answer({"name": "half", "tags": ["1.0", "broken"]})
    if asked.path.endswith("/manifests/broken"):
        return error_answer(404, "MANIFEST_UNKNOWN", "manifest unknown")
    if "/manifests/" in asked.path:
        return Answer(200, MANIFEST, {"Content-Type": DOCKER_IMAGE, "Docker-Content-Digest": DIGEST})
    if asked.path.endswith(f"/blobs/{digest_of(CONFIG)}"):
        return Answer(200, CONFIG)
    return error_answer(404, "NAME_UNKNOWN", "repository name not known to registry")


def guarded(asked: Asked) -> Answer:
    """A registry that takes uploads from one user."""
    if asked.authorization != basic(USER, PASSWORD):
        return error_answer(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="r"')
    if asked.method == "POST":
        return Answer(202, b"", {"Location": "/v2/probe/blobs/uploads/1"})
    return Answer(204)


class Store:
    """A registry that takes images, and keeps them. Of manifests it takes those whose blobs it has.

    `guards` are the methods for which it wants `USER` and `PASSWORD`; `challenges`: it asks for them at `/v2/` already.
    `before` is called with each request, and may answer it.
    """

    def __init__(self, *, guards: Container[str] = (), challenges: bool = False) -> None:
        self.guards = guards
        self.challenges = challenges
        self.before: Callable[[Asked], Answer | None] = lambda _asked: None
        self.repositories: dict[str, Blobs] = {}
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}

    def __call__(self, asked: Asked) -> Answer:
        is_ping = asked.path == "/v2/"
        is_guarded = self.challenges if is_ping else asked.method in self.guards
        if is_guarded and asked.authorization != basic(USER, PASSWORD):
            return error_answer(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="r"')
        return self.before(asked) or (json_answer({}) if is_ping else self._answer(asked))

    def tags(self, repository: str) -> dict[str, str]:
        """The digest of each tag."""
        found = {name: digest_of(body) for (place, name), (body, _) in self.manifests.items() if place == repository}
        return {name: digest for name, digest in found.items() if ":" not in name}

    def diff_ids(self, repository: str, tag: str) -> list[str]:
        """The digests of the layers of an image, unpacked."""
        manifest = json.loads(self.manifests[repository, tag][0])
        blobs = self.repositories[repository].blobs
        return [digest_of(gzip.decompress(blobs[layer["digest"]])) for layer in manifest["layers"]]

    def tag(self, repository: str, tag: str, manifest: bytes = MANIFEST) -> None:
        """Let a tag stand for an image whose blobs are not here."""
        self.manifests[repository, tag] = (manifest, DOCKER_IMAGE)

    def _answer(self, asked: Asked) -> Answer:
        repository, kind, rest = re.split("/(blobs|manifests|tags)/", asked.path.removeprefix("/v2/"), maxsplit=1)
        if kind == "manifests":
            return self._manifest(asked, repository, rest)
        if kind == "tags":
            return json_answer({"name": repository, "tags": list(self.tags(repository))})
        blobs = self.repositories.setdefault(repository, Blobs())
        if asked.method == "POST" and (wanted := asked.query.get("mount")):
            source = self.repositories.get(asked.query["from"][0])
            if source is not None and wanted[0] in source.blobs:
                blobs.blobs[wanted[0]] = source.blobs[wanted[0]]
                return Answer(201, headers={"Docker-Content-Digest": wanted[0]})
        if asked.method in ("GET", "HEAD") and not rest.startswith("uploads/"):
            content = blobs.blobs.get(rest)
            return error_answer(404, "BLOB_UNKNOWN") if content is None else Answer(200, content)
        return blobs(asked)

    def _manifest(self, asked: Asked, repository: str, reference: str) -> Answer:
        if asked.method != "PUT":
            if (repository, reference) not in self.manifests:
                return error_answer(404, "MANIFEST_UNKNOWN", "manifest unknown")
            body, media_type = self.manifests[repository, reference]
            return Answer(200, body, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(body)})
        content = json.loads(asked.body)
        blobs = self.repositories.setdefault(repository, Blobs()).blobs
        if any(each["digest"] not in blobs for each in (content["config"], *content["layers"])):
            return error_answer(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
        digest = digest_of(asked.body)
        for name in (reference, digest):
            self.manifests[repository, name] = (asked.body, asked.headers["content-type"])
        return Answer(201, headers={"Docker-Content-Digest": digest})
