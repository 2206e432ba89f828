"""Reading: what goes the short way and what it leaves to the session; downloads; deleting."""

from __future__ import annotations

import gzip
import threading

import httpx
import pytest
import trustme

from devreg.model.credentials import Credentials
from devreg.model.errors import NotAuthorized, NotFound, RegistryUnreachable
from devreg.model.manifest import OCI_IMAGE, OCI_INDEX, Descriptor
from devreg.model.tls import Tls
from devreg.registry import lane, referrers
from tests.http.server import Answer, Asked, Open, Script, Serve, basic, error_answer, json_answer, server_context
from tests.http.test_content import CONFIG, CONFIG_DESCRIPTOR, MANIFEST, NAMED, digest_of


def test_a_manifest_is_asked_for_once(serve: Serve, opened: Open) -> None:
    server = serve(Answer(200, MANIFEST, NAMED))
    registry = opened(server)
    for _ in range(3):
        registry.manifest("app", "1")
    assert server.lines[1:] == ["GET /v2/app/manifests/1"] * 3


def test_a_missing_tag_is_asked_for_once(serve: Serve, opened: Open) -> None:
    server = serve(error_answer(404, "MANIFEST_UNKNOWN", "manifest unknown"))
    with pytest.raises(NotFound, match=r"404 Not Found \(MANIFEST_UNKNOWN: manifest unknown\)"):
        opened(server).manifest("app", "1")
    assert len(server.asked) == 2


def test_a_challenge_is_met_once_a_repository(serve: Serve, opened: Open) -> None:
    def script(asked: Asked) -> Answer:
        if asked.authorization != basic("alice", "secret"):
            return Answer(401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        return Answer(200, MANIFEST, NAMED)

    server = serve(script)
    registry = opened(server, credentials=Credentials("alice", "secret"))
    for _ in range(3):
        registry.manifest("app", "1")
    assert [asked.authorization is None for asked in server.asked[1:]] == [True, True, False, False, False]


def test_the_password_does_not_go_over_plain_http_unless_that_is_wanted(serve: Serve, opened: Open) -> None:
    server = serve(Answer(401, headers={"WWW-Authenticate": 'Basic realm="r"'}))
    registry = opened(server, credentials=Credentials("alice", "secret"), secrets_over_http=False)
    with pytest.raises(NotAuthorized, match="will not send"):
        registry.manifest("app", "1")
    assert all(asked.authorization is None for asked in server.asked)


def test_a_kind_that_lies_elsewhere_is_asked_for_once_from_then_on(serve: Serve, opened: Open) -> None:
    storage = serve(Answer(200, CONFIG))
    server = serve(Answer(307, headers={"Location": f"{storage.url}/x"}))
    registry = opened(server)
    for _ in range(3):
        registry.config("app", CONFIG_DESCRIPTOR)
    assert len(server.asked) == 1 + 2 + 1 + 1
    assert len(storage.asked) == 3


@pytest.mark.usefixtures("known_authority")
def test_over_tls(serve: Serve, opened: Open, authority: trustme.CA) -> None:
    server = serve(Answer(200, MANIFEST, NAMED), server_context(authority))
    registry = opened(server, tls=Tls.VERIFIED)
    registry.manifest("app", "1")
    assert server.lines[1:] == ["GET /v2/app/manifests/1"]


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"\x00\xff" * 100,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
    ids=["headers", "length", "chunks", "short", "status", "noise", "long line"],
)
def test_answers_that_are_none(serve: Serve, opened: Open, raw: bytes) -> None:
    with pytest.raises(RegistryUnreachable):
        opened(serve(Answer(raw=raw))).manifest("app", "1")


def test_a_body_of_100_mb(serve: Serve, opened: Open) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 200 + b"0\r\n\r\n"
    with pytest.raises(RegistryUnreachable, match="longer than 8 MiB"):
        opened(serve(Answer(raw=raw))).manifest("app", "1")


def test_compressed_answers_are_read(serve: Serve, opened: Open) -> None:
    body = gzip.compress(b'{"tags": ["1", "2"]}')
    server = serve(Answer(200, body, {"Content-Encoding": "gzip"}))
    assert list(opened(server).tags("app")) == ["1", "2"]
    assert server.asked[1].headers["accept-encoding"] == "gzip"


def test_a_compressed_manifest_is_compared_with_its_digest(serve: Serve, opened: Open) -> None:
    server = serve(Answer(200, gzip.compress(MANIFEST), {**NAMED, "Content-Encoding": "gzip"}))
    assert opened(server).manifest("app", "1").kind == "image"


def test_a_decompression_bomb(serve: Serve, opened: Open) -> None:
    bomb = gzip.compress(b" " * 200 * 2**20)
    with pytest.raises(RegistryUnreachable, match="longer than 8 MiB"):
        list(opened(serve(Answer(200, bomb, {"Content-Encoding": "gzip"}))).tags("app"))


def test_what_only_looks_compressed(serve: Serve, opened: Open) -> None:
    with pytest.raises(RegistryUnreachable, match="cannot be read"):
        list(opened(serve(Answer(200, b"{}", {"Content-Encoding": "gzip"}))).tags("app"))


def test_many_threads(serve: Serve, opened: Open) -> None:
    server = serve(Answer(200, MANIFEST, NAMED))
    registry = opened(server)
    threads = [threading.Thread(target=registry.manifest, args=("app", "1")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 1 + 8


DIGEST = "sha256:" + "a" * 64


def referring(*names: str, link: str = "") -> Answer:
    """A list of referrers, whose digests are made of a letter each; `x` is an attestation."""
    entries = [{"mediaType": OCI_IMAGE, "digest": f"sha256:{each * 64}", "size": 1} for each in names if each != "x"]
    if "x" in names:
        about = {"vnd.docker.reference.type": "attestation-manifest"}
        entries.append({"mediaType": OCI_IMAGE, "digest": f"sha256:{'e' * 64}", "size": 1, "annotations": about})
    return json_answer({"schemaVersion": 2, "manifests": entries}, Content_Type=OCI_INDEX, Link=link)


def letters(found: tuple[Descriptor, ...] | None) -> str | None:
    return None if found is None else "".join(each.digest[-1] for each in found)


def test_referrers(serve: Serve, opened: Open) -> None:
    server = serve(referring("b", "x"))
    assert letters(opened(server).referrers("app", DIGEST)) == "be", "an attestation is one, too"
    assert server.lines[1:] == [f"GET /v2/app/referrers/{DIGEST}"]


def test_referrers_on_several_pages(serve: Serve, opened: Open) -> None:
    def script(asked: Asked) -> Answer:
        return referring("c") if "last" in asked.query else referring("b", link="<?last=b>; rel=next")

    server = serve(script)
    assert letters(opened(server).referrers("app", DIGEST)) == "bc"
    assert server.lines[1:] == [f"GET /v2/app/referrers/{DIGEST}", f"GET /v2/app/referrers/{DIGEST}?last=b"]


def test_referrers_without_end(serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    same = serve(referring("b", link="<?last=b>; rel=next"))
    with pytest.raises(RegistryUnreachable, match="do not end"):
        opened(same).referrers("app", DIGEST)
    assert len(same.asked) == 3
    monkeypatch.setattr(referrers, "MAX_REFERRERS", 3)
    others = iter("123456789")
    endless = serve(lambda _: referring(next(others), link="<?last=b>; rel=next"))
    with pytest.raises(RegistryUnreachable, match="do not end"):
        opened(endless).referrers("app", DIGEST)
    assert len(endless.asked) == 1 + 4


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, b"404 page not found"),
        *(error_answer(status, "UNSUPPORTED") for status in (400, 405, 406, 501)),
        Answer(200, b"<html>", {"Content-Type": "text/html"}),
        json_answer({}),
    ],
    ids=["404", "400", "405", "406", "501", "a page", "something"],
)
def test_a_registry_without_referrers(serve: Serve, opened: Open, answer: Answer) -> None:
    assert opened(serve(answer)).referrers("app", DIGEST) is None


@pytest.mark.parametrize("status", [401, 403])
def test_referrers_need_a_right(serve: Serve, opened: Open, status: int) -> None:
    with pytest.raises(NotAuthorized):
        opened(serve(error_answer(status, "DENIED"))).referrers("app", DIGEST)


@pytest.mark.parametrize(("status", "done"), [(202, True), (400, False), (405, False)])
def test_a_tag_alone_is_taken_away_where_the_registry_does_it(
    serve: Serve, opened: Open, status: int, done: bool
) -> None:
    server = serve(Answer(status))
    assert opened(server).untag("app", "1") is done
    assert server.lines[1:] == ["DELETE /v2/app/manifests/1"]


@pytest.mark.parametrize(("status", "enabled"), [(404, True), (202, True), (405, False), (400, False)])
def test_whether_a_registry_deletes(serve: Serve, opened: Open, status: int, enabled: bool) -> None:
    assert opened(serve(Answer(status))).deletes("app") is enabled


def test_deleting_needs_a_right(serve: Serve, opened: Open) -> None:
    registry = opened(serve(Answer(401, headers={"WWW-Authenticate": "Basic"})))
    for ask in (registry.deletes, lambda name: registry.untag(name, "1")):
        with pytest.raises(NotAuthorized):
            ask("app")


BLOB = bytes(range(256)) * 4000
LAYER = Descriptor("layer", digest_of(BLOB), len(BLOB))


def breaking(cuts: list[int], *, ranges: bool = True) -> Script:
    """A script for a blob that breaks off at each of `cuts`, counted in its bytes."""

    def script(asked: Asked) -> Answer:
        start = int(asked.headers.get("range", "bytes=0-")[6:-1]) if ranges else 0
        return Answer(206 if start else 200, BLOB[start:], cut=cuts.pop(0) - start if cuts else None)

    return script


@pytest.mark.parametrize("cuts", [[], [0], [1], [500_000, 500_001, 1_000_000], [len(BLOB) - 1]], ids=str)
def test_a_download_goes_on_where_it_was(serve: Serve, opened: Open, cuts: list[int]) -> None:
    server = serve(breaking(cuts))
    assert b"".join(opened(server).read_blob("app", LAYER).read(0)) == BLOB


def test_a_download_without_ranges_begins_anew(serve: Serve, opened: Open) -> None:
    server = serve(breaking([500_000], ranges=False))
    assert b"".join(opened(server).read_blob("app", LAYER).read(0)) == BLOB
    assert len(server.asked) == 3


def test_a_download_from_an_offset(serve: Serve, opened: Open) -> None:
    server = serve(breaking([600_000]))
    assert b"".join(opened(server).read_blob("app", LAYER).read(1000)) == BLOB[1000:]
    assert server.asked[1].headers["range"] == "bytes=1000-"


@pytest.mark.parametrize(
    ("body", "fault"),
    [(BLOB[:-1] + b"x", "is not what sha256"), (BLOB + b"x", "does not end there"), (BLOB[:-1], "ends after")],
    ids=["other", "longer", "shorter"],
)
def test_a_blob_that_is_not_what_it_should_be(serve: Serve, opened: Open, body: bytes, fault: str) -> None:
    with pytest.raises(RegistryUnreachable, match=fault):
        list(opened(serve(Answer(200, body))).read_blob("app", LAYER).read(0))


def test_a_download_is_given_up(serve: Serve, opened: Open, pauses: list[float]) -> None:
    server = serve(Answer(reset=True))
    with pytest.raises(RegistryUnreachable):
        list(opened(server).read_blob("app", LAYER).read(0))
    assert pauses


def test_a_blob_that_is_not_there(serve: Serve, opened: Open) -> None:
    with pytest.raises(NotFound):
        list(opened(serve(error_answer(404, "BLOB_UNKNOWN"))).read_blob("app", LAYER).read(0))


def test_an_answer_that_ends_with_the_connection(serve: Serve, opened: Open) -> None:
    head = f"HTTP/1.0 200 OK\r\nContent-Type: {OCI_IMAGE}\r\n\r\n"
    server = serve(Answer(raw=head.encode() + MANIFEST))
    registry = opened(server)
    assert [registry.manifest("app", "1").kind for _ in range(2)] == ["image", "image"]
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "second", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
def test_two_answers_to_one_question_are_not_mixed(serve: Serve, opened: Open, second: bytes) -> None:
    """The short way takes neither, and the session the first."""
    lines = f"Content-Type: {OCI_IMAGE}\r\nContent-Length: {len(MANIFEST)}\r\n"
    server = serve(Answer(raw=f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + MANIFEST + second))
    registry = opened(server)
    assert registry.manifest("app", "1").kind == "image"
    assert len(server.asked) == 3


def test_an_answer_before_the_answer(serve: Serve, opened: Open) -> None:
    lines = f"Content-Type: {OCI_IMAGE}\r\nContent-Length: {len(MANIFEST)}\r\n"
    raw = f"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\n{lines}\r\n".encode() + MANIFEST
    assert opened(serve(Answer(raw=raw))).manifest("app", "1").kind == "image"


def test_a_header_of_several_lines_is_one(serve: Serve) -> None:
    way = lane.Lane(httpx.URL(serve(Answer(raw=b"HTTP/1.1 404 X\r\nA: 1\r\na: 2\r\n\r\n")).url), None, timeout=5)
    answer = way.ask("HEAD", "/v2/app/tags/list", {})
    way.close()
    assert answer is not None
    assert (answer.status, dict(answer.headers), answer.body) == (404, {"a": "1, 2"}, b"")


def test_headers_without_end_are_not_gathered(serve: Serve) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + b"a: b\r\n" * 40_000 + b"\r\n{}"
    way = lane.Lane(httpx.URL(serve(Answer(raw=raw)).url), None, timeout=5)
    answer = way.ask("GET", "/v2/app/tags/list", {})
    way.close()
    assert answer is None


@pytest.mark.parametrize("value", ["a\r\nb: c", "\n", "caf\u00e9\u2603"])
def test_no_header_makes_another(serve: Serve, value: str) -> None:
    server = serve(Answer(200))
    assert lane.Lane(httpx.URL(server.url), None, timeout=5).ask("GET", "/v2/", {"Accept": value}) is None
    assert server.asked == []
