"""A registry with one repository of two tags, as a script for a ScriptedServer."""

from __future__ import annotations

import json

from devreg.model.manifest import DOCKER_IMAGE
from devreg.model.wire import digest_of
from tests.http.server import Answer, Asked, basic, error_answer, json_answer

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
