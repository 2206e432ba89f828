"""Whatever the docker SDK raises leaves as an error of devreg."""

from __future__ import annotations

import socket
from http.client import IncompleteRead

import docker
import pytest
import requests
import urllib3

from devreg.engine.errors import reason, translated, unreachable
from devreg.model.errors import DevregError, EngineRefused, EngineUnreachable, NotFound, ServerError

SDK = sorted(
    (thing for thing in vars(docker.errors).values() if isinstance(thing, type) and issubclass(thing, Exception)),
    key=lambda kind: kind.__name__,
)
REQUESTS = sorted(
    (
        thing
        for thing in vars(requests.exceptions).values()
        if isinstance(thing, type) and issubclass(thing, requests.RequestException)
    ),
    key=lambda kind: kind.__name__,
)
ARGUMENTS: dict[str, tuple[object, ...]] = {
    "BuildError": ("why", []),
    "ContainerError": (None, 1, "command", "image", b"why"),
    "ContextAlreadyExists": ("name",),
    "ContextNotFound": ("name",),
    "IncompleteRead": (b"",),
    "JSONDecodeError": ("why", "text", 0),
    "MissingContextParameter": ("name",),
    "StreamParseError": (ValueError("why"),),
}


def made(kind: type[Exception]) -> Exception:
    return kind(*ARGUMENTS.get(kind.__name__, ("why",)))


def test_the_sdk_has_the_classes_that_were_looked_at() -> None:
    assert {kind.__name__ for kind in SDK} >= {"APIError", "NotFound", "DockerException", "TLSParameterError"}
    assert len(SDK) >= 15
    assert len(REQUESTS) >= 20


@pytest.mark.parametrize(
    "kind",
    [*SDK, *REQUESTS, IncompleteRead, urllib3.exceptions.ProtocolError],
    ids=lambda kind: f"{kind.__module__}.{kind.__name__}",
)
def test_each_is_translated(kind: type[Exception]) -> None:
    with pytest.raises(DevregError) as caught, translated("do it"):
        raise made(kind)
    assert caught.value.__cause__.__class__ is kind
    assert caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (docker.errors.NotFound("x"), NotFound),
        (docker.errors.ImageNotFound("x"), NotFound),
        (docker.errors.APIError("x"), EngineRefused),
        (requests.ConnectionError("x"), EngineUnreachable),
        (requests.ReadTimeout("x"), EngineUnreachable),
        (ConnectionResetError("x"), EngineUnreachable),
    ],
)
def test_the_kinds_are_told_apart(error: Exception, expected: type[DevregError]) -> None:
    with pytest.raises(expected), translated("do it"):
        raise error


def test_who_asks_says_what_a_refusal_is() -> None:
    with pytest.raises(ServerError, match="could not do it: x"), translated("do it", refused=ServerError):
        raise docker.errors.APIError("x")


@pytest.mark.parametrize("bug", [KeyError("x"), TypeError("x"), AttributeError("x"), AssertionError("x")])
def test_bugs_are_left_alone(bug: Exception) -> None:
    with pytest.raises(type(bug)), translated("do it"):
        raise bug


@pytest.mark.parametrize("explanation", ["no such image", b"no such image"])
def test_the_reason_is_the_engines_own_sentence(explanation: str | bytes) -> None:
    error = docker.errors.APIError("500 Server Error", response=None, explanation=explanation)  # type: ignore[arg-type]
    assert reason(error) == "no such image"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (PermissionError(13, "x"), "may not be opened"),
        (FileNotFoundError(2, "x"), "no engine answers"),
        (ConnectionRefusedError(111, "x"), "no engine answers"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_the_cause_is_found_however_deep_it_is(cause: OSError, words: str, depth: int) -> None:
    error: Exception = cause
    for _ in range(depth):
        outer = docker.errors.DockerException("Error while fetching server API version")
        outer.__context__ = error
        error = outer
    told = unreachable(error)
    assert isinstance(told, EngineUnreachable)
    assert words in told.message
