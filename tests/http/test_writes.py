"""Blobs that are looked for and mounted, and manifests that are stored."""

from __future__ import annotations

import hashlib
import json

import pytest

from devreg.model.credentials import Credentials
from devreg.model.errors import NotAuthorized, RegistryUnreachable, UploadFailed
from devreg.model.manifest import ACCEPTED, OCI_IMAGE
from devreg.registry.retries import WRITING
from tests.http.server import Answer, Asked, Open, Serve, basic, error_answer

DIGEST = f"sha256:{'a' * 64}"
BODY = json.dumps({"schemaVersion": 2}).encode()
BODY_DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
STORED = Answer(201, headers={"Docker-Content-Digest": BODY_DIGEST})


def test_a_blob_that_is_there(serve: Serve, opened: Open) -> None:
    server = serve(Answer(200, b"x" * 1234))
    assert opened(server).has_blob("team/app", DIGEST) == 1234
    assert server.lines[1:] == [f"HEAD /v2/team/app/blobs/{DIGEST}"]


@pytest.mark.parametrize("answer", [Answer(404), Answer(raw=b"HTTP/1.1 200 OK\r\n\r\n")])
def test_a_blob_that_is_not_there(serve: Serve, opened: Open, answer: Answer) -> None:
    assert opened(serve(answer)).has_blob("app", DIGEST) is None


def test_who_may_not_look(serve: Serve, opened: Open) -> None:
    with pytest.raises(NotAuthorized):
        opened(serve(Answer(403))).has_blob("app", DIGEST)


def test_mounted(serve: Serve, opened: Open) -> None:
    server = serve(Answer(201))
    assert opened(server).mount("app", DIGEST, "team/base") is True
    assert server.lines[1:] == [f"POST /v2/app/blobs/uploads/?mount={DIGEST}&from=team/base"]


def test_who_may_not_even_ask_to_mount(serve: Serve, opened: Open) -> None:
    def script(asked: Asked) -> Answer:
        realm = f'Bearer realm="http://{asked.headers["host"]}/token"'
        return (
            error_answer(403, "DENIED") if asked.path == "/token" else Answer(401, headers={"WWW-Authenticate": realm})
        )

    assert opened(serve(script)).mount("app", DIGEST, "base") is False


def test_an_upload_instead_of_a_mount_is_cancelled(serve: Serve, opened: Open) -> None:
    opening = Answer(202, headers={"Location": "/v2/app/blobs/uploads/1?_state=a%3Db"})
    server = serve(lambda asked: opening if asked.method == "POST" else Answer(204))
    assert opened(server).mount("app", DIGEST, "base") is False
    assert server.lines[2:] == ["DELETE /v2/app/blobs/uploads/1?_state=a%3Db"]


@pytest.mark.parametrize("status", [200, 202, 400, 401, 403, 404, 405, 307])
def test_not_mounted(serve: Serve, opened: Open, status: int) -> None:
    server = serve(Answer(status))
    assert opened(server).mount("app", DIGEST, "base") is False
    assert len(server.lines) == 2


def test_a_mount_is_tried_again(serve: Serve, opened: Open, pauses: list[float]) -> None:
    left = iter([Answer(503), Answer(reset=True), error_answer(429, "X", Retry_After="3")])
    assert opened(serve(lambda _: next(left, Answer(201)))).mount("app", DIGEST, "base") is True
    assert len(pauses) == 3
    assert pauses[2] == 3


def test_a_manifest_is_stored(serve: Serve, opened: Open) -> None:
    server = serve(STORED)
    assert opened(server).put_manifest("team/app", "1.0", BODY, OCI_IMAGE) == BODY_DIGEST
    asked = server.asked[1]
    assert (asked.line, asked.body) == ("PUT /v2/team/app/manifests/1.0", BODY)
    assert asked.headers["content-type"] == OCI_IMAGE


def test_a_manifest_whose_digest_the_registry_does_not_tell(serve: Serve, opened: Open) -> None:
    assert opened(serve(Answer(201))).put_manifest("app", BODY_DIGEST, BODY, OCI_IMAGE) == BODY_DIGEST


def test_a_manifest_goes_with_credentials(serve: Serve, opened: Open) -> None:
    def script(asked: Asked) -> Answer:
        known = asked.authorization == basic("me", "secret")
        return STORED if known else Answer(401, headers={"WWW-Authenticate": "Basic realm=r"})

    server = serve(script)
    opened(server, credentials=Credentials("me", "secret")).put_manifest("app", "1", BODY, OCI_IMAGE)
    assert [asked.body for asked in server.asked[1:]] == [BODY, BODY]


@pytest.mark.parametrize("told", [DIGEST, "nonsense", ""])
def test_a_registry_that_stores_another_manifest(serve: Serve, opened: Open, told: str) -> None:
    server = serve(Answer(201, headers={"Docker-Content-Digest": told}))
    with pytest.raises(UploadFailed, match=f"has stored {told} where {BODY_DIGEST} was sent"):
        opened(server).put_manifest("app", "1", BODY, OCI_IMAGE)


def test_storing_is_repeated(serve: Serve, opened: Open, pauses: list[float]) -> None:
    faults = [Answer(502), Answer(500), Answer(reset=True), Answer(408), error_answer(429, "X", Retry_After="3")]
    left = iter(faults)
    server = serve(lambda _: next(left, STORED))
    assert opened(server).put_manifest("app", "1", BODY, OCI_IMAGE) == BODY_DIGEST
    assert [asked.body for asked in server.asked[1:]] == [BODY] * 6
    assert (len(pauses), pauses[4]) == (5, 3)


def test_storing_is_not_repeated_for_ever(serve: Serve, opened: Open, pauses: list[float]) -> None:
    with pytest.raises(UploadFailed, match=r"cannot store the manifest of app:1: .*503 Service Unavailable"):
        opened(serve(Answer(503))).put_manifest("app", "1", BODY, OCI_IMAGE)
    assert len(pauses) == WRITING.total
    assert sum(pauses) <= 60


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize("detail", [{"digest": DIGEST}, DIGEST, f"unknown blob {DIGEST}"])
def test_a_manifest_of_blobs_that_are_not_there(serve: Serve, opened: Open, status: int, detail: object) -> None:
    error = {"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": detail}
    server = serve(Answer(status, json.dumps({"errors": [error, error]}).encode()))
    with pytest.raises(UploadFailed, match=f"cannot store .*app:1: the registry does not have {DIGEST}$") as caught:
        opened(server).put_manifest("app", "1", BODY, OCI_IMAGE)
    assert "push again" in caught.value.hint


def test_a_manifest_of_many_blobs_that_are_not_there(serve: Serve, opened: Open) -> None:
    errors = [{"code": "MANIFEST_BLOB_UNKNOWN", "detail": f"sha256:{number:064}"} for number in range(1000)]
    with pytest.raises(UploadFailed, match=r"sha256:0{63}4 and 995 more$"):
        opened(serve(Answer(400, json.dumps({"errors": errors}).encode()))).put_manifest("app", "1", BODY, OCI_IMAGE)


def test_layers_from_urls_that_the_registry_does_not_allow(serve: Serve, opened: Open, pauses: list[float]) -> None:
    """What distribution 2.8 answers (measured)."""
    codes = ("UNKNOWN", "UNKNOWN", "MANIFEST_BLOB_UNKNOWN")
    errors = [{"code": code, "message": "x" * 200, "detail": DIGEST} for code in codes]
    server = serve(Answer(500, json.dumps({"errors": errors}).encode()))
    body = json.dumps({"layers": [{"digest": DIGEST, "urls": ["https://a.example/b"]}]}).encode()
    with pytest.raises(UploadFailed, match=f"the registry does not have {DIGEST}$") as caught:
        opened(server).put_manifest("app", "1", body, OCI_IMAGE)
    assert "validation.manifests.urls.allow" in caught.value.hint
    assert (len(server.asked), pauses) == (2, [])


def test_a_manifest_that_will_never_be_taken(serve: Serve, opened: Open, pauses: list[float]) -> None:
    server = serve(error_answer(500, "MANIFEST_INVALID", "no"))
    with pytest.raises(UploadFailed, match=r"500 .*MANIFEST_INVALID: no") as caught:
        opened(server).put_manifest("app", "1", BODY, OCI_IMAGE)
    assert "--provenance=false" in caught.value.hint
    assert (len(server.asked), pauses) == (2, [])


@pytest.mark.parametrize("body", [b"", b"[]", b'{"errors": 1}', b'{"errors": [1, null]}', b"[" * 100_000, b"\xff"])
def test_errors_that_say_nothing(serve: Serve, opened: Open, pauses: list[float], body: bytes) -> None:
    with pytest.raises(UploadFailed, match=r"500 Internal Server Error$"):
        opened(serve(Answer(500, body))).put_manifest("app", "1", BODY, OCI_IMAGE)
    assert len(pauses) == WRITING.total


def test_a_manifest_that_is_refused(serve: Serve, opened: Open) -> None:
    with pytest.raises(UploadFailed, match=r"400 .*MANIFEST_INVALID: no"):
        opened(serve(error_answer(400, "MANIFEST_INVALID", "no"))).put_manifest("app", DIGEST, BODY, OCI_IMAGE)


@pytest.mark.parametrize(("status", "kind"), [(403, NotAuthorized), (401, NotAuthorized), (308, RegistryUnreachable)])
def test_who_may_not_store(serve: Serve, opened: Open, status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        opened(serve(Answer(status))).put_manifest("app", "1", BODY, OCI_IMAGE)


def test_the_bytes_of_a_manifest(serve: Serve, opened: Open) -> None:
    body = BODY + b"\n "
    server = serve(Answer(200, body, {"Content-Type": "text/x"}))
    assert opened(server).manifest_body("app", "1") == (body, "text/x", f"sha256:{hashlib.sha256(body).hexdigest()}")
    assert server.asked[1].headers["accept"].split(", ") == list(ACCEPTED)


def test_the_bytes_of_a_manifest_are_checked(serve: Serve, opened: Open) -> None:
    with pytest.raises(RegistryUnreachable, match="is not what sha256"):
        opened(serve(Answer(200, BODY))).manifest_body("app", DIGEST)
