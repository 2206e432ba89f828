"""Passing faults are passed over, but not for ever."""

from __future__ import annotations

import pytest

from devreg.model.errors import RegistryUnreachable
from devreg.registry.transport import RETRY
from tests.http.server import Answer, Asked, Open, Script, Serve, error_answer, json_answer

TAGS = json_answer({"tags": ["1"]})


def first(*answers: Answer) -> Script:
    """These answers, then the tags."""
    left = iter(answers)
    return lambda _: next(left, TAGS)


@pytest.mark.parametrize(
    "fault",
    [
        Answer(502, b"<html>"),
        Answer(503),
        Answer(504),
        error_answer(429, "TOOMANYREQUESTS"),
        Answer(raw=b""),
        Answer(200, b'{"tags": ["1", "2"]}', cut=7),
        Answer(200, b'{"tags": ["1", "2"]}', cut=0),
    ],
)
def test_reading_is_repeated(serve: Serve, opened: Open, pauses: list[float], fault: Answer) -> None:
    server = serve(first(fault, fault))
    assert list(opened(server).tags("app")) == ["1"]
    assert server.lines[1:] == ["GET /v2/app/tags/list?n=1000"] * 3
    assert len(pauses) == 2
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1.0


def test_retry_after_is_kept_to(serve: Serve, opened: Open, pauses: list[float]) -> None:
    answers = first(error_answer(429, "TOOMANYREQUESTS", Retry_After="7"), error_answer(503, "X", Retry_After="9999"))
    assert list(opened(serve(answers)).tags("app")) == ["1"]
    assert pauses == [7, 30]


@pytest.mark.parametrize("odd", ["", "-1", "soon", "1e9", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_odd_retry_after(serve: Serve, opened: Open, pauses: list[float], odd: str) -> None:
    assert list(opened(serve(first(error_answer(429, "X", Retry_After=odd)))).tags("app")) == ["1"]
    assert pauses[0] <= 0.5


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (error_answer(429, "TOOMANYREQUESTS", "slow down"), r"429 Too Many Requests \(TOOMANYREQUESTS: slow down\)"),
        (Answer(503, b"<html>" + b"x" * 10_000), "503 Service Unavailable$"),
        (Answer(200, b"x" * 100, cut=50), "broke off its answer"),
        (Answer(raw=b""), "broke off its answer"),
    ],
)
def test_patience_ends(serve: Serve, opened: Open, pauses: list[float], answer: Answer, words: str) -> None:
    server = serve(answer)
    with pytest.raises(RegistryUnreachable, match=words):
        list(opened(server).tags("app"))
    assert len(server.asked) == 1 + 1 + RETRY.total
    assert len(pauses) == RETRY.total


def test_pauses_together_are_bounded(serve: Serve, opened: Open, pauses: list[float]) -> None:
    with pytest.raises(RegistryUnreachable):
        list(opened(serve(error_answer(429, "X", Retry_After="3600"))).tags("app"))
    assert sum(pauses) == 60


@pytest.mark.parametrize("status", [404, 405, 501])
def test_lasting_faults_are_not_repeated(serve: Serve, opened: Open, pauses: list[float], status: int) -> None:
    server = serve(error_answer(status, "X"))
    with pytest.raises(Exception, match=str(status)):
        list(opened(server).tags("app"))
    assert (len(server.asked), pauses) == (2, [])


def test_a_token_server_is_asked_again_too(serve: Serve, opened: Open) -> None:
    left = iter([Answer(503)])

    def script(asked: Asked) -> Answer:
        if asked.path == "/token":
            return next(left, json_answer({"token": "t"}))
        realm = f'Bearer realm="http://{asked.headers["host"]}/token"'
        return TAGS if asked.authorization else Answer(401, headers={"WWW-Authenticate": realm})

    assert list(opened(serve(script)).tags("app")) == ["1"]
