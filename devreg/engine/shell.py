"""Shell scripts in a running container, and files that they find there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from devreg.engine.client import Engine
from devreg.engine.errors import translated
from devreg.model.errors import ServerError

_translated = partial(translated, refused=ServerError)


def lines(engine: Engine, id: str, script: str, *words: str, doing: str) -> list[str]:
    """What a script printed, by lines; `words` are its $1, $2 …; `doing` completes "could not …".

    Raises ServerError with what it said when it ends with anything but 0.
    """
    return b"".join(stream(engine, id, script, *words, doing=doing)).decode(errors="surrogateescape").splitlines()


def stream(engine: Engine, id: str, script: str, *words: str, doing: str) -> Iterator[bytes]:
    """What a script prints, as it comes. Raises as `lines` does, at the end."""
    said = b""
    with _translated(doing):
        api = engine.client.api
        call = api.exec_create(id, ["sh", "-c", script, "sh", *words])["Id"]
        for out, err in api.exec_start(call, stream=True, demux=True):
            said = (said + (err or b""))[-2000:]
            if out:
                yield out
        code = api.exec_inspect(call)["ExitCode"]
    if code != 0:
        words_of_it = said.decode(errors="replace").strip() or f"code {code}"
        raise ServerError(f"could not {doing}: {words_of_it}", hint="`devreg registry logs` may say more")


@contextmanager
def held(engine: Engine, id: str, script: str, *, doing: str) -> Iterator[None]:
    """A script that is to end by itself when its standard input does: when this is done, or devreg has died.

    The first line that it prints says that it has begun. Raises ServerError when it does not begin.
    """
    with _translated(doing):
        api = engine.client.api
        call = api.exec_create(id, ["sh", "-c", script], stdin=True)["Id"]
        line: Any = api.exec_start(call, socket=True)
    raw: socket.socket = getattr(line, "_sock", line)
    try:
        if not raw.recv(1):
            raise ServerError(f"could not {doing}", hint="`devreg registry logs` may say more")
        yield
    finally:
        with suppress(OSError):  # a container that was stopped has taken the script with it
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):  # the end of the script
                pass
        line.close()


def put(engine: Engine, id: str, folder: str, tar: bytes | Iterator[bytes], *, doing: str) -> None:
    """Unpack a tar in a folder of a container, as it comes. Raises ServerError."""
    with _translated(doing):
        engine.client.api.put_archive(id, folder, tar)
