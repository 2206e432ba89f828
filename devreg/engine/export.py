"""An image as the engine hands it out: a stream of one tar (`GET /images/{name}/get`).

Over a unix socket it is read without the SDK, and asked for as HTTP/1.0: then the answer is the bare tar, without the
frame around each 32 KB that HTTP/1.1 puts there and Python would take apart.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Protocol
from urllib.parse import quote

from devreg.engine.client import READ_TIMEOUT_SECONDS, Engine
from devreg.model.errors import EngineRefused, EngineUnreachable, NotFound

_CHUNK_BYTES = 2**20


class Stream(Protocol):
    """The bytes of an export."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill some of `buffer`; 0 at the end."""


@contextmanager
def export(engine: Engine, image: str) -> Iterator[Stream]:
    """The tar of `image`, a name or an id. Raises NotFound, EngineRefused, EngineUnreachable."""
    if not engine.host.startswith("unix://"):
        yield _Chunks(_by_sdk(engine, image))
        return
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(READ_TIMEOUT_SECONDS)
        answer = _asked(connection, engine.host.removeprefix("unix://"), image)
        with closing(answer):
            yield answer


def _asked(connection: socket.socket, path: str, image: str) -> HTTPResponse:
    try:
        connection.connect(path)
        connection.sendall(f"GET /images/{quote(image)}/get HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        answer = HTTPResponse(connection, method="GET")
        answer.begin()
        if answer.status == 200:
            return answer
        said = answer.read(_CHUNK_BYTES)
    except (OSError, HTTPException) as error:
        raise EngineUnreachable(
            f"the engine broke off the export of {image}: {error}", hint="run the command again"
        ) from error
    try:
        words = str(json.loads(said)["message"])
    except (ValueError, LookupError, TypeError):
        words = f"status {answer.status}"
    if answer.status == 404:
        raise NotFound(f"no local image {image}: {words}", hint="`docker images` lists the local images")
    raise EngineRefused(f"the engine does not export {image}: {words}", hint="the engine's log has the details")


def _by_sdk(engine: Engine, image: str) -> Iterator[bytes]:
    from devreg.engine.errors import translated

    with translated(f"export {image}"):
        yield from engine.client.api.get_image(image, chunk_size=_CHUNK_BYTES)


class _Chunks:
    """A stream made of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readinto(self, buffer: memoryview, /) -> int:
        """See Stream."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
