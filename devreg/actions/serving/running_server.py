"""The running registry server, as those see it who keep it: its two containers, a pause for writers, scripts in it."""

from __future__ import annotations

import io
import secrets
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from devreg.engine import containers, shell
from devreg.engine.client import Engine
from devreg.engine.containers import Found
from devreg.model.errors import ServerError
from devreg.server import storage
from devreg.server.definition import DATA_FOLDER, SHARED_FOLDER

_POLL_SECONDS = 0.25
_QUIET_POLLS = 6  # of nothing under way: a request that nginx had let through has reached the registry by then


@dataclass(frozen=True)
class Running:
    """A server that runs."""

    engine: Engine
    registry: Found
    nginx: Found

    def lines(self, script: str, *words: str, doing: str) -> list[str]:
        """What a script of `storage` prints beside the registry. Raises ServerError."""
        return shell.lines(self.engine, self.registry.id, script, DATA_FOLDER, *words, doing=doing)

    def stream(self, script: str, *words: str, doing: str) -> Iterator[bytes]:
        """The same as bytes, as they come."""
        return shell.stream(self.engine, self.registry.id, script, DATA_FOLDER, *words, doing=doing)

    def listed(self, words: Iterable[str]) -> str:
        """Put words, one a line, into a new file that scripts see; gives its path. It goes with the containers."""
        name, data = f"list.{secrets.token_hex(8)}", "".join(f"{word}\n" for word in words).encode()
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
        shell.put(self.engine, self.registry.id, SHARED_FOLDER, buffer.getvalue(), doing="hand over a list")
        return f"{SHARED_FOLDER}/{name}"

    @contextmanager
    def paused(self, script: str, wait: float) -> Iterator[None]:
        """Ask uploads, or all writers, to come back, and wait until the requests under way have ended.

        The pause ends with this block, or with devreg, whatever ends that. Raises ServerError when they do not end
        within `wait` seconds.
        """
        with shell.held(self.engine, self.registry.id, script, doing="pause the registry"):
            deadline, quiet = time.monotonic() + wait, 0
            while quiet < _QUIET_POLLS:
                busy = storage.in_flight(self.lines(storage.IN_FLIGHT, doing="ask what is under way"))
                quiet = 0 if busy else quiet + 1
                if busy and time.monotonic() > deadline:
                    raise ServerError(
                        f"{busy} request(s) of pushes are under way and did not end within {wait:g} s",
                        hint="run the command again later, or with a longer --wait",
                    )
                time.sleep(_POLL_SECONDS)
            yield


def running(engine: Engine) -> Running:
    """The server, which has to run. Raises ServerError."""
    found = containers.find(engine)
    if not {"registry", "nginx"} <= found.keys() or not all(each.running for each in found.values()):
        raise ServerError("the registry server does not run", hint="`devreg registry up` starts it")
    return Running(engine, found["registry"], found["nginx"])
