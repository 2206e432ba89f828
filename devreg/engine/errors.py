"""The docker SDK's exceptions, turned into devreg's in one place."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

import docker
import requests
import urllib3

from devreg.model.errors import DevregError, EngineRefused, EngineUnreachable, NotFound

# The SDK lets through what lies below it: where it reads a stream by itself, the errors of http.client and urllib3.
FOREIGN = (
    docker.errors.DockerException,
    docker.errors.StreamParseError,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    HTTPException,
    OSError,
)


@contextmanager
def translated(doing: str, refused: type[DevregError] = EngineRefused) -> Iterator[None]:
    """Run a call of the SDK; `doing` completes "could not …" when it fails.

    Raises NotFound for the engine's 404, EngineUnreachable when nothing answers, `refused` for any other refusal.
    """
    try:
        yield
    except docker.errors.NotFound as error:
        raise NotFound(
            f"could not {doing}: {reason(error)}", hint="`docker images` and `docker ps -a` list what is there"
        ) from error
    except docker.errors.APIError as error:
        raise refused(f"could not {doing}: {reason(error)}", hint="the engine's log has the details") from error
    except FOREIGN as error:
        raise unreachable(error) from error


def reason(error: docker.errors.APIError) -> str:
    """The engine's own sentence, without the SDK's URL and status around it."""
    explanation = error.explanation or str(error)
    return explanation.decode(errors="replace") if isinstance(explanation, bytes) else str(explanation).strip()


def unreachable(error: BaseException) -> DevregError:
    """Why no engine answers, told from the operating system's error below the SDK's."""
    for cause in _causes(error):
        if isinstance(cause, PermissionError):
            return EngineUnreachable(
                "the engine's socket may not be opened by this user",
                hint="use sudo, or join its group: `sudo usermod -aG docker $USER`, then log in again",
            )
        if isinstance(cause, FileNotFoundError | ConnectionRefusedError):
            return _nobody_answers()
        if isinstance(cause, socket.gaierror | TimeoutError):
            return EngineUnreachable(
                f"the engine cannot be reached: {cause}", hint="check DOCKER_HOST and `docker context ls`"
            )
    return EngineUnreachable(f"the engine cannot be used: {error}", hint="check DOCKER_HOST and `docker context ls`")


def _nobody_answers() -> EngineUnreachable:
    chosen = next((name for name in ("DOCKER_HOST", "DOCKER_CONTEXT") if os.environ.get(name)), None)
    if chosen:
        return EngineUnreachable(
            f"no engine answers at {os.environ[chosen]}",
            hint=f"start that engine, or unset {chosen} to use this machine's",
        )
    return EngineUnreachable(
        "no engine answers: is Docker running?",
        hint="start it (`sudo systemctl start docker`), or let `sudo devreg quickstart` set one up",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
