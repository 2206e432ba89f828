"""Shell scripts in a running container, and files that they find there."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from docker.utils.socket import STDOUT, frames_iter

from devreg.engine.client import Engine
from devreg.engine.errors import translated
from devreg.model.errors import ServerError

_translated = partial(translated, refused=ServerError)
# What is printed before the SDK has read the engine's headers would be lost with them: scripts wait for a line first.
_WAIT = "read -r go || exit 1\n"


@dataclass(frozen=True)
class ContainerShell:
    """The shell of the container `id`; scripts find `variables` in their environment."""

    engine: Engine
    id: str
    variables: Mapping[str, str]

    def lines(self, script: str, *words: str, doing: str) -> list[str]:
        """What a script printed, by lines; `words` are its $1, $2 …; `doing` completes "could not …".

        Raises ServerError with what it said when it ends with anything but 0.
        """
        return b"".join(self.stream(script, *words, doing=doing)).decode(errors="surrogateescape").splitlines()

    def stream(self, script: str, *words: str, doing: str) -> Iterator[bytes]:
        """What a script prints, as it comes. Raises as `lines` does, at the end."""
        said = b""
        with _translated(doing), self._begun(script, *words) as (call, line, _):
            for source, data in frames_iter(line, tty=False):  # type: ignore[no-untyped-call]
                if source == STDOUT:
                    yield data
                else:
                    said = (said + data)[-2000:]
            code = self.engine.client.api.exec_inspect(call)["ExitCode"]
        if code != 0:
            words_of_it = said.decode(errors="replace").strip() or f"code {code}"
            raise ServerError(f"could not {doing}: {words_of_it}", hint="`devreg registry logs` may say more")

    @contextmanager
    def held(self, script: str, *, doing: str) -> Iterator[None]:
        """A script that is to end by itself when its standard input does: when this is done, or devreg has died.

        The first line that it prints says that it has begun. Raises ServerError when it does not begin.
        """
        with _translated(doing):
            begun = self._begun(script)
            _, _, raw = begun.__enter__()
        try:
            if not raw.recv(1):
                raise ServerError(f"could not {doing}", hint="`devreg registry logs` may say more")
            yield
        finally:
            with suppress(OSError):  # a container that was stopped has taken the script with it
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(4096):  # the end of the script
                    pass
            begun.__exit__(None, None, None)

    def put(self, folder: str, tar: bytes | Iterator[bytes], *, doing: str) -> None:
        """Unpack a tar in a folder, as it comes. Raises ServerError."""
        with _translated(doing):
            self.engine.client.api.put_archive(self.id, folder, tar)

    @contextmanager
    def _begun(self, script: str, *words: str) -> Iterator[tuple[str, Any, socket.socket]]:
        """The id of a script that has begun, the SDK's connection to it, and the socket of that."""
        api = self.engine.client.api
        argv = ["sh", "-c", _WAIT + script, "sh", *words]
        call = str(api.exec_create(self.id, argv, stdin=True, environment=dict(self.variables))["Id"])
        line: Any = api.exec_start(call, socket=True)
        raw: socket.socket = getattr(line, "_sock", line)
        try:
            raw.sendall(b"\n")
            yield call, line, raw
        finally:
            if response := getattr(line, "_response", None):  # the SDK's, which the connection belongs to
                response.close()
            raw.close()
            line.close()
