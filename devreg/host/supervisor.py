"""supervisord: started in the background, asked and told over its socket, stopped.

Who listens on the socket is the one to talk to, and to end: no process id is kept that may be another's by then.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy, Transport

from devreg.host.dockerd import listener
from devreg.host.processes import lives
from devreg.host.run import CommandFailed, detach
from devreg.model.errors import EngineUnreachable, ServerError

_ANSWER_SECONDS = 30
_START_SECONDS = 30
_STOP_SECONDS = 45  # each of the two programs is given 10 to end by itself
_POLL_SECONDS = 0.05
# supervisord and what it starts get none of the variables around devreg: passwords may be in them.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


@dataclass(frozen=True)
class Kept:
    """A program that supervisord keeps running. `pid`: 0 while it does not; `failing`: it ends as soon as it starts."""

    role: str
    running: bool
    failing: bool
    pid: int


class Supervisor:
    """The supervisord whose socket is in the folder `run`, running or not."""

    def __init__(self, run: Path, socket_name: str) -> None:
        self._run = run
        self._socket = socket_name

    @property
    def pid(self) -> int | None:
        """Its process id; None when it does not run."""
        with self._path() as path, suppress(EngineUnreachable):
            return listener(path)
        return None

    def start(self, conf: Path, log: Path) -> None:
        """Start it and wait until it answers. `log`: a file for what it says before it has one of its own.

        Raises ServerError with its words.
        """
        log.write_bytes(b"")
        argv = [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "-c", str(conf)]
        try:
            pid = detach(argv, log=log, cwd=self._run, env=_ENVIRONMENT)
        except CommandFailed as error:
            raise ServerError(f"supervisord could not be started: {error}", hint=f"see {log}") from error
        if not _waited(_START_SECONDS, lambda: self.pid is not None or not lives(pid)) or not lives(pid):
            said = log.read_text(errors="replace").strip().splitlines()
            raise ServerError(
                f"supervisord does not start: {said[-1] if said else 'it said nothing'}", hint=f"see {log}"
            )

    def stop(self) -> bool:
        """Stop it and all that it keeps. True when it ran. Raises ServerError when it cannot be stopped."""
        pid = self.pid
        if pid is None:
            return False
        with suppress(ServerError):  # one that does not obey is killed below
            self._call("shutdown")
        if not _waited(_STOP_SECONDS, lambda: self.pid != pid) and pid > 0:  # 0: it is in another container
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not _waited(_STOP_SECONDS, lambda: self.pid != pid and not (pid and lives(pid))):
            raise ServerError(f"supervisord (process {pid}) cannot be stopped", hint="stop it where it was started")
        return True

    def kept(self) -> tuple[Kept, ...]:
        """The programs; none while it does not run. Raises ServerError."""
        if self.pid is None:
            return ()
        return tuple(
            Kept(
                each["name"],
                each["statename"] in ("STARTING", "RUNNING"),
                each["statename"] in ("BACKOFF", "FATAL"),
                each["pid"],
            )
            for each in self._call("getAllProcessInfo")
        )

    def hang_up(self, role: str) -> None:
        """Have a program read its files again. Raises ServerError."""
        self._call("signalProcess", role, "HUP")

    def restart(self, role: str) -> None:
        """Restart a program; it may still be starting afterwards. Raises ServerError."""
        with suppress(_Refused):  # it does not run just now
            self._call("stopProcess", role)
        self._call("startProcess", role, False)

    def _call(self, method: str, *words: object) -> Any:
        try:
            with self._path() as path, ServerProxy("http://supervisord", transport=_UnixTransport(path)) as proxy:
                return getattr(proxy.supervisor, method)(*words)
        except Fault as error:
            raise _Refused(f"supervisord refuses {method}: {error.faultString}", hint="see its log") from error
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(
                f"supervisord does not answer: {error}", hint="`devreg registry down`, then up"
            ) from error

    @contextmanager
    def _path(self) -> Iterator[Path]:
        """The socket by a name that is short enough for the kernel, wherever the folder is."""
        try:
            folder = os.open(self._run, os.O_PATH | os.O_DIRECTORY)
        except OSError:
            yield self._run / self._socket  # no folder, no socket: connecting says so
            return
        try:
            yield Path(f"/proc/self/fd/{folder}") / self._socket
        finally:
            os.close(folder)


class _Refused(ServerError):
    """supervisord answers that it does not do it."""


class _UnixConnection(http.client.HTTPConnection):
    """supervisor's own transport would wait for an answer for ever."""

    def __init__(self, path: Path) -> None:
        super().__init__("supervisord", timeout=_ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, _host: object) -> http.client.HTTPConnection:
        return _UnixConnection(self._path)


def _waited(seconds: float, done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
