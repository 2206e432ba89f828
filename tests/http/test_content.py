"""Manifests, configs and the upload that proves a login."""

from __future__ import annotations

import hashlib
import json

import pytest

from devreg.model.errors import DevregError, NotAuthorized, NotFound, RegistryUnreachable
from devreg.model.manifest import ACCEPTED, DOCKER_SCHEMA1_SIGNED, OCI_IMAGE, Descriptor
from tests.http.server import Answer, Open, Serve, error_answer


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


CONFIG = json.dumps({"os": "linux", "architecture": "amd64"}).encode()
CONFIG_DESCRIPTOR = Descriptor("application/vnd.oci.image.config.v1+json", digest_of(CONFIG), len(CONFIG))
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "config": {"mediaType": CONFIG_DESCRIPTOR.media_type, "digest": CONFIG_DESCRIPTOR.digest, "size": len(CONFIG)},
        "layers": [{"mediaType": "layer", "digest": digest_of(b"layer"), "size": 1000}],
    }
).encode()
TYPED = {"Content-Type": OCI_IMAGE}
NAMED = {**TYPED, "Docker-Content-Digest": digest_of(MANIFEST)}


def test_a_manifest(serve: Serve, opened: Open) -> None:
    server = serve(Answer(200, MANIFEST, NAMED))
    manifest = opened(server).manifest("team/app", "1.0")
    assert (manifest.kind, manifest.digest, manifest.content_size) == ("image", digest_of(MANIFEST), 1000 + len(CONFIG))
    assert server.lines[1:] == ["GET /v2/team/app/manifests/1.0"]
    assert server.asked[1].headers["accept"].split(", ") == list(ACCEPTED)


def test_a_digest_that_the_registry_does_not_tell(serve: Serve, opened: Open) -> None:
    manifest = opened(serve(Answer(200, MANIFEST, TYPED))).manifest("app", "1")
    assert manifest.digest == digest_of(MANIFEST)


def test_a_sha512_digest_is_checked_too(serve: Serve, opened: Open) -> None:
    digest = f"sha512:{hashlib.sha512(MANIFEST).hexdigest()}"
    server = serve(Answer(200, MANIFEST, {**TYPED, "Docker-Content-Digest": digest}))
    assert opened(server).manifest("app", "1").digest == digest


@pytest.mark.parametrize("told", [digest_of(b"other"), "sha512:" + "0" * 128])
def test_content_that_its_digest_does_not_promise(serve: Serve, opened: Open, told: str) -> None:
    server = serve(Answer(200, MANIFEST, {**TYPED, "Docker-Content-Digest": told}))
    with pytest.raises(RegistryUnreachable, match="is not what sha"):
        opened(server).manifest("app", "1")


def test_content_that_was_not_asked_for(serve: Serve, opened: Open) -> None:
    server = serve(Answer(200, MANIFEST, NAMED))
    with pytest.raises(RegistryUnreachable, match="is not what sha256"):
        opened(server).manifest("app", digest_of(b"other"))


@pytest.mark.parametrize("told", ["", "sha256:xyz", "md5:0", "../../x"])
def test_a_digest_that_is_none(serve: Serve, opened: Open, told: str) -> None:
    server = serve(Answer(200, MANIFEST, {**TYPED, "Docker-Content-Digest": told}))
    with pytest.raises(RegistryUnreachable, match="not a digest"):
        opened(server).manifest("app", "1")


def test_a_signed_schema_1_manifest_has_the_digest_of_its_payload(serve: Serve, opened: Open) -> None:
    body, told = b'{"schemaVersion": 1}', digest_of(b"payload")
    headers = {"Content-Type": f"{DOCKER_SCHEMA1_SIGNED}; charset=utf-8", "Docker-Content-Digest": told}
    manifest = opened(serve(Answer(200, body, headers))).manifest("app", "1")
    assert (manifest.kind, manifest.digest) == ("schema1", told)


def test_head_tells_without_reading(serve: Serve, opened: Open) -> None:
    server = serve(Answer(200, MANIFEST, NAMED))
    assert opened(server).head_manifest("app", "1") == Descriptor(OCI_IMAGE, digest_of(MANIFEST), len(MANIFEST))
    assert server.lines[1:] == ["HEAD /v2/app/manifests/1"]


def test_head_that_tells_too_little_is_followed_by_get(serve: Serve, opened: Open) -> None:
    server = serve(Answer(200, MANIFEST, TYPED))
    assert opened(server).head_manifest("app", "1") == Descriptor(OCI_IMAGE, digest_of(MANIFEST), len(MANIFEST))
    assert server.lines[1:] == ["HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"]


@pytest.mark.parametrize("method", ["manifest", "head_manifest"])
def test_an_unknown_tag(serve: Serve, opened: Open, method: str) -> None:
    server = serve(error_answer(404, "MANIFEST_UNKNOWN"))
    registry = opened(server)
    with pytest.raises(NotFound, match="cannot read app:9") as caught:
        getattr(registry, method)("app", "9")
    assert caught.value.hint.endswith(f"devreg tags {server.host}/app")


def test_an_unknown_repository(serve: Serve, opened: Open) -> None:
    server = serve(error_answer(404, "NAME_UNKNOWN"))
    for ask in (lambda registry: registry.manifest("app", "9"), lambda registry: list(registry.tags("app"))):
        with pytest.raises(NotFound) as caught:
            ask(opened(server))
        assert caught.value.hint.endswith(f"devreg repos {server.host}")


def test_a_lost_config(serve: Serve, opened: Open) -> None:
    registry = opened(serve(error_answer(404, "BLOB_UNKNOWN")))
    with pytest.raises(NotFound) as caught:
        registry.config("app", CONFIG_DESCRIPTOR)
    assert "push" in caught.value.hint


def test_a_config(serve: Serve, opened: Open) -> None:
    server = serve(Answer(200, CONFIG))
    assert opened(server).blob_json("app", CONFIG_DESCRIPTOR) == {"os": "linux", "architecture": "amd64"}
    assert server.lines[1:] == [f"GET /v2/app/blobs/{CONFIG_DESCRIPTOR.digest}"]


def test_a_config_from_the_storage_behind_the_registry(serve: Serve, opened: Open) -> None:
    storage = serve(Answer(200, CONFIG))
    server = serve(Answer(307, headers={"Location": f"{storage.url}/x?signature=1"}))
    assert opened(server).blob_json("app", CONFIG_DESCRIPTOR)["os"] == "linux"


def test_a_config_that_is_another(serve: Serve, opened: Open) -> None:
    with pytest.raises(RegistryUnreachable, match="is not what"):
        opened(serve(Answer(200, b'{"os": "evil"}'))).blob_json("app", CONFIG_DESCRIPTOR)


def test_a_config_that_is_huge_is_not_asked_for(serve: Serve, opened: Open) -> None:
    server = serve(Answer(200, CONFIG))
    with pytest.raises(RegistryUnreachable, match="bytes"):
        opened(server).blob_json("app", Descriptor("x", CONFIG_DESCRIPTOR.digest, 10**12))
    assert server.lines == ["GET /v2/"]


@pytest.mark.parametrize(
    "location",
    [
        "/v2/app/blobs/uploads/1?_state=a%3Db",
        "http://wrong.example:1/v2/app/blobs/uploads/1?_state=a%3Db",
        "1?_state=a%3Db",
    ],
)
def test_the_upload_is_cancelled_where_it_was_opened(serve: Serve, opened: Open, location: str) -> None:
    server = serve(lambda asked: Answer(202 if asked.method == "POST" else 204, headers={"Location": location}))
    assert opened(server).prove_write("app") is False
    assert server.lines[1:] == ["POST /v2/app/blobs/uploads/", "DELETE /v2/app/blobs/uploads/1?_state=a%3Db"]


@pytest.mark.parametrize("answer", [Answer(404), Answer(500), Answer(405, b"<html>"), Answer(raw=b"")])
def test_an_upload_that_cannot_be_cancelled_is_proof_enough(serve: Serve, opened: Open, answer: Answer) -> None:
    server = serve(lambda asked: Answer(202, headers={"Location": "/u/1"}) if asked.method == "POST" else answer)
    opened(server).prove_write("app")


def test_an_odd_location_is_not_followed(serve: Serve, opened: Open) -> None:
    server = serve(Answer(202, headers={"Location": "http://\x7f/"}))
    opened(server).prove_write("app")
    assert server.lines[1:] == ["POST /v2/app/blobs/uploads/"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error_answer(403, "DENIED", "requested access to the resource is denied"), NotAuthorized),
        (Answer(401, headers={"WWW-Authenticate": "Basic"}), NotAuthorized),
        (Answer(200, b"<html>"), RegistryUnreachable),
        (Answer(202), RegistryUnreachable),
        (Answer(307, headers={"Location": "https://127.0.0.1/v2/"}), RegistryUnreachable),
        (Answer(307, headers={"Location": "http://["}), RegistryUnreachable),
        (Answer(503), RegistryUnreachable),
        (Answer(raw=b""), RegistryUnreachable),
    ],
)
def test_an_upload_that_is_not_opened_is_asked_for_once(
    serve: Serve, opened: Open, answer: Answer, kind: type[DevregError]
) -> None:
    server = serve(answer)
    with pytest.raises(kind):
        opened(server).prove_write("app")
    assert server.lines[1:] == ["POST /v2/app/blobs/uploads/"]


def test_names_cannot_leave_their_place_in_the_path(serve: Serve, opened: Open) -> None:
    server = serve(error_answer(404, "NAME_UNKNOWN"))
    with pytest.raises(NotFound):
        opened(server).manifest("app?x=1#y", "1/../../z?a")
    assert server.lines[1:] == ["GET /v2/app%3Fx%3D1%23y/manifests/1%2F..%2F..%2Fz%3Fa"]


def test_a_manifest_is_deleted_by_its_digest(serve: Serve, opened: Open) -> None:
    server = serve(Answer(202))
    opened(server).delete_manifest("team/app", digest_of(MANIFEST))
    assert server.lines[1:] == [f"DELETE /v2/team/app/manifests/{digest_of(MANIFEST)}"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error_answer(404, "MANIFEST_UNKNOWN"), NotFound),
        (error_answer(405, "UNSUPPORTED"), NotFound),
        (error_answer(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="r"'), NotAuthorized),
    ],
)
def test_a_manifest_that_cannot_be_deleted(
    serve: Serve, opened: Open, answer: Answer, expected: type[DevregError]
) -> None:
    with pytest.raises(expected):
        opened(serve(answer)).delete_manifest("app", digest_of(MANIFEST))
