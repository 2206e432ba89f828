"""Whether an nginx in front of a registry keeps its promises to strangers."""

from __future__ import annotations

import socket

import pytest
import trustme

from devreg.model.errors import ServerError
from devreg.model.server import PUSHES, Listen
from devreg.registry import front
from tests.http.server import Answer, Asked, ScriptedServer, Serve, json_answer, server_context

LIST = json_answer({"repositories": []})
QUESTION = Answer(401, headers={"WWW-Authenticate": 'Bearer realm="https://r/v2/token"'})


def fault(server: ScriptedServer, *, tls: bool = False, host: str = "registry.example.com") -> str | None:
    return front.fault(Listen("127.0.0.1", server.port), host, tls=tls, timeout=5)


@pytest.mark.parametrize(
    ("read", "write", "said"),
    [
        (LIST, QUESTION, None),
        (QUESTION, QUESTION, "a read without a password is answered with status 401"),
        (json_answer({"errors": []}), QUESTION, "no registry"),
        (Answer(200, b"<html>"), QUESTION, "the list of repositories"),
        (LIST, Answer(202), "a write without a password is answered with status 202"),
        (LIST, Answer(401), "a write without a password is answered with status 401"),
    ],
)
def test_what_is_wrong(serve: Serve, read: Answer, write: Answer, said: str | None) -> None:
    by_method = {"GET": read, "POST": write}
    found = fault(serve(lambda asked: by_method[asked.method], bare=True))
    assert found is None if said is None else said in str(found)


def test_it_is_called_by_its_name_over_tls_too(serve: Serve) -> None:
    ca = trustme.CA()
    names: list[str] = []

    def script(asked: Asked) -> Answer:
        names.append(asked.headers["host"])
        return LIST if asked.method == "GET" else QUESTION

    tls = server_context(ca, ca.issue_cert("registry.example.com"))
    assert fault(serve(script, tls, bare=True), tls=True) is None
    assert names == ["registry.example.com"] * 2


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        listen = Listen("127.0.0.1", taken.getsockname()[1])
        assert "does not answer" in str(front.fault(listen, "registry.example.com", tls=False, timeout=5))


@pytest.mark.parametrize(("status", "some"), [(204, False), (409, True)])
def test_whether_pushes_are_under_way(serve: Serve, status: int, some: bool) -> None:
    asked: list[Asked] = []

    def script(question: Asked) -> Answer:
        asked.append(question)
        return Answer(status)

    checker = f"127.0.0.1:{serve(script, bare=True).port}"
    assert front.pushes_under_way(checker, timeout=5) is some
    assert [(each.method, each.target) for each in asked] == [("POST", PUSHES)]


def test_an_nginx_that_does_not_tell_is_named(serve: Serve) -> None:
    server = serve(lambda _: Answer(404), bare=True)
    with pytest.raises(ServerError, match="status 404"):
        front.pushes_under_way(f"127.0.0.1:{server.port}", timeout=5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        with pytest.raises(ServerError, match="does not tell"):
            front.pushes_under_way(f"127.0.0.1:{taken.getsockname()[1]}", timeout=5)
