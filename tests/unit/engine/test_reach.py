"""What an engine that is asked for an image of nobody's tells of its way to the registry."""

from __future__ import annotations

import pytest
import requests

from devreg.engine.client import connect
from devreg.engine.reach import reaches
from devreg.model.address import Address
from devreg.model.verdict import Reach, Verdict
from tests.unit.engine.fake import FakeEngine, Reply

A = Address.parse("registry.example:5000")
PROBE = f"{A}/devreg-trust-probe:none"


def test_the_engine_is_asked_as_nobody_for_an_image_that_nobody_has(fake: FakeEngine) -> None:
    found = reaches(connect(), A)
    assert (found.reach, found.words) == (Reach.ANSWERED, "manifest unknown: manifest unknown")
    (asked,) = fake.requests("GET", "/distribution/")
    assert asked.path == f"/distribution/{PROBE}/json"
    assert asked.auth == {}


@pytest.mark.parametrize("address", ["registry.example", "10.0.0.5:5000", "[::1]:5000"])
def test_every_kind_of_address_arrives_as_it_is(fake: FakeEngine, address: str) -> None:
    reaches(connect(), Address.parse(address))
    (asked,) = fake.requests("GET", "/distribution/")
    assert asked.path == f"/distribution/{address}/devreg-trust-probe:none/json"


def test_somebody_has_the_image_after_all(fake: FakeEngine) -> None:
    fake.images[PROBE] = "sha256:1"
    found = reaches(connect(), A)
    assert (found.reach, found.words) == (Reach.ANSWERED, "")


@pytest.mark.parametrize(
    ("status", "words", "reach"),
    [
        (404, "errors:\nmanifest unknown: manifest unknown\n", Reach.ANSWERED),
        (401, "unauthorized: authentication required", Reach.ANSWERED),
        (403, "denied: requested access to the resource is denied", Reach.ANSWERED),
        (500, 'Get "https://r:5000/v2/": http: server gave HTTP response to HTTPS client', Reach.REFUSED),
        (500, 'Get "https://r:5000/v2/": x509: certificate signed by unknown authority', Reach.REFUSED),
        (500, 'Get "https://r:5000/v2/": remote error: tls: certificate required', Reach.REFUSED),
        (500, "error parsing HTTP 404 response body: invalid character '<'", Reach.STRANGER),
        (500, 'Get "http://r:5000/v2/": dial tcp 10.0.0.5:5000: connect: connection refused', Reach.UNREACHABLE),
        (500, "dial tcp: lookup r on 10.0.0.1:53: no such host", Reach.UNREACHABLE),
        (503, "something that nobody has heard before", Reach.UNREACHABLE),
    ],
)
def test_the_engines_words_are_read(fake: FakeEngine, status: int, words: str, reach: Reach) -> None:
    fake.refusals["GET /distribution/"] = (status, words)
    found = reaches(connect(), A)
    assert (found.reach, found.words) == (reach, words)


HTML = "unknown: <html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>"
STATUS = "unexpected status from HEAD request to http://r:5000/v2/devreg-trust-probe/manifests/none: 400 Bad Request"


@pytest.mark.parametrize("first", [HTML, "Client sent an HTTP request to an HTTPS server."])
@pytest.mark.parametrize(
    ("status", "words", "reach"),
    [
        (404, f"failed to resolve reference {PROBE!r}: {PROBE}: not found", Reach.ANSWERED),
        (500, STATUS, Reach.REFUSED),
        (500, "unexpected status from HEAD request to https://r/v2/x: 502 Bad Gateway", Reach.STRANGER),
        (500, "dial tcp 10.0.0.5:5000: connect: connection refused", Reach.UNREACHABLE),
    ],
)
def test_an_engine_that_falls_back_to_http_is_asked_to_pull(
    fake: FakeEngine, first: str, status: int, words: str, reach: Reach
) -> None:
    fake.refusals["GET /distribution/"] = (500, first)
    fake.refusals["POST /images/create"] = (status, words)
    found = reaches(connect(), A)
    assert (found.reach, found.words) == (reach, words)
    (asked,) = fake.requests("POST", "/images/create")
    assert asked.query == {"fromImage": f"{A}/devreg-trust-probe", "tag": "none"}
    assert asked.auth == {}


@pytest.mark.parametrize(
    ("end", "reach"), [({"error": STATUS}, Reach.REFUSED), ({"status": "Downloaded"}, Reach.ANSWERED)]
)
def test_a_pull_that_has_begun_says_in_its_last_line_how_it_ended(
    fake: FakeEngine, end: dict[str, str], reach: Reach
) -> None:
    fake.refusals["GET /distribution/"] = (500, HTML)
    fake.pull_lines = [{"status": "Pulling"}, end]
    assert reaches(connect(), A).reach is reach


def test_an_engine_that_gets_no_answer(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = connect()
    asked: list[object] = []

    def silent(_self: object, _method: str, _url: str, **options: object) -> requests.Response:
        asked.append(options["timeout"])
        raise requests.ReadTimeout

    assert engine.client.ping()
    monkeypatch.setattr(requests.Session, "request", silent)
    found = reaches(engine, A)
    assert (found.reach, found.words) == (Reach.UNREACHABLE, "the engine got no answer within 5 s")
    assert asked == [5]
    assert not fake.requests("GET", "/distribution/")


def test_an_engine_that_is_gone(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = connect()
    assert engine.client.ping()

    def gone(*_: object, **__: object) -> requests.Response:
        raise requests.ConnectionError("Connection refused")

    monkeypatch.setattr(requests.Session, "request", gone)
    assert reaches(engine, A) == Verdict(Reach.UNREACHABLE, "Connection refused")
    assert not fake.requests("GET", "/distribution/")


@pytest.mark.parametrize("said", [b"<html>", b"[]", b"null", b"", b"\xff\xfe"])
def test_an_engine_whose_refusal_makes_no_sense(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    answer = fake.answer
    odd = lambda request: Reply(502, said) if "/distribution/" in request.path else answer(request)  # noqa: E731
    monkeypatch.setattr(fake, "answer", odd)
    assert reaches(connect(), A).reach is Reach.UNREACHABLE
