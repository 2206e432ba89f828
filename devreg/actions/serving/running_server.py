"""The running registry server, for those who keep it, whatever it runs in: scripts beside it, a pause for writers."""

from __future__ import annotations

import io
import secrets
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from devreg.actions.serving.server_files import ServerFiles
from devreg.model.errors import ServerError
from devreg.server.storage import STAGE, Beside

_POLL_SECONDS = 0.25
_QUIET_POLLS = 6  # of nothing under way: a request that nginx had let through has reached the registry by then


class Shell(Protocol):
    """Where scripts run: `ContainerShell` and `MachineShell` say what the methods do and raise."""

    def lines(self, script: str, *words: str, doing: str) -> list[str]: ...

    def stream(self, script: str, *words: str, doing: str) -> Iterator[bytes]: ...

    def held(self, script: str, *, doing: str) -> AbstractContextManager[None]: ...

    def put(self, folder: str, tar: bytes | Iterator[bytes], *, doing: str) -> None: ...


@dataclass(frozen=True)
class Running:
    """A server that runs. `lists`: a folder beside it for what its scripts are to read.

    `busy`: whether any request of a push is under way. `asked`: nginx's log since then, by lines.
    """

    shell: Shell
    beside: Beside
    lists: str
    files: ServerFiles
    busy: Callable[[], bool]
    asked: Callable[[datetime], Iterable[str]]

    def lines(self, script: str, *words: str, doing: str) -> list[str]:
        """What a script of `storage` prints beside the registry. Raises ServerError."""
        return self.shell.lines(script, self.beside.data, *words, doing=doing)

    def stream(self, script: str, *words: str, doing: str) -> Iterator[bytes]:
        """The same as bytes, as they come."""
        return self.shell.stream(script, self.beside.data, *words, doing=doing)

    def listed(self, words: Iterable[str]) -> str:
        """Put words, one a line, into a new file that scripts see; gives its path. It goes with the server."""
        name, data = f"list.{secrets.token_hex(8)}", "".join(f"{word}\n" for word in words).encode()
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
        self.shell.put(self.lists, buffer.getvalue(), doing="hand over a list")
        return f"{self.lists}/{name}"

    def stage(self, tar: Iterator[bytes]) -> None:
        """Unpack a tar beside the data. Raises ServerError, and what `tar` raises."""
        self.shell.put(f"{self.beside.data}/{STAGE}", tar, doing="write the backup")

    @contextmanager
    def paused(self, script: str, wait: float) -> Iterator[None]:
        """Ask uploads, or all writers, to come back, and wait until the requests under way have ended.

        The pause ends with this block, or with devreg, whatever ends that. Raises ServerError when they do not end
        within `wait` seconds.
        """
        with self.shell.held(script, doing="pause the registry"):
            deadline, quiet = time.monotonic() + wait, 0
            while quiet < _QUIET_POLLS:
                busy = self.busy()
                quiet = 0 if busy else quiet + 1
                if busy and time.monotonic() > deadline:
                    raise ServerError(
                        f"requests of pushes are under way and did not end within {wait:g} s",
                        hint="run the command again later, or with a longer --wait",
                    )
                time.sleep(_POLL_SECONDS)
            yield


def not_running() -> ServerError:
    """What to tell those who need a running server."""
    return ServerError("the registry server does not run", hint="`devreg registry up` starts it")
