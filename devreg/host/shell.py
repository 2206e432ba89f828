"""Shell scripts on this machine: the same that `engine.shell` runs in a container."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from devreg.model.errors import ServerError

# None of the variables around devreg: passwords may be in them.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_CHUNK_BYTES = 2**16
_END_SECONDS = 10
_UNPACK = 'exec tar -x -f - -C "$1"'


@dataclass(frozen=True)
class MachineShell:
    """A shell of this machine. `identity`: the words of a command that gives it somebody else's rights, if any.

    Scripts find `variables` in their environment.
    """

    identity: tuple[str, ...]
    variables: Mapping[str, str]

    def lines(self, script: str, *words: str, doing: str) -> list[str]:
        """What a script printed, by lines; `words` are its $1, $2 …; `doing` completes "could not …".

        Raises ServerError with what it said when it ends with anything but 0.
        """
        return b"".join(self.stream(script, *words, doing=doing)).decode(errors="surrogateescape").splitlines()

    def stream(self, script: str, *words: str, doing: str) -> Iterator[bytes]:
        """What a script prints, as it comes. Raises as `lines` does, at the end."""
        return printed(self._argv(script, *words), env={**_ENVIRONMENT, **self.variables}, doing=doing)

    @contextmanager
    def held(self, script: str, *, doing: str) -> Iterator[None]:
        """A script that is to end by itself when its standard input does: when this is done, or devreg has died.

        The first line that it prints says that it has begun. Raises ServerError when it does not begin.
        """
        with self._begun(script, doing=doing) as (process, said):
            assert process.stdin is not None  # noqa: S101 - `_begun` has made both pipes
            assert process.stdout is not None  # noqa: S101
            if not process.stdout.readline():
                raise _failed(doing, said, process.wait(_END_SECONDS))
            try:
                yield
            finally:
                process.stdin.close()
                process.wait(_END_SECONDS)

    def put(self, folder: str, tar: bytes | Iterator[bytes], *, doing: str) -> None:
        """Unpack a tar in a folder, as it comes. Raises ServerError, and what `tar` raises."""
        with self._begun(_UNPACK, folder, doing=doing) as (process, said):
            assert process.stdin  # noqa: S101 - `_begun` has made the pipe
            try:
                for chunk in (tar,) if isinstance(tar, bytes) else tar:
                    process.stdin.write(chunk)
                process.stdin.close()
            except BrokenPipeError:
                pass  # it says why
            if code := process.wait():
                raise _failed(doing, said, code)

    @contextmanager
    def _begun(self, script: str, *words: str, doing: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
        """A script that takes input, and the file of what it says. It is killed if it has not ended by itself."""
        env = {**_ENVIRONMENT, **self.variables}
        with _running(self._argv(script, *words), env, doing, stdin=subprocess.PIPE) as begun:
            yield begun

    def _argv(self, script: str, *words: str) -> tuple[str, ...]:
        return (*self.identity, "/bin/sh", "-c", script, "sh", *words)


def printed(argv: Sequence[str], *, env: Mapping[str, str] | None = None, doing: str) -> Iterator[bytes]:
    """What a program prints, as it comes. `env`: its whole environment, devreg's own for None.

    Raises ServerError with what it said when it ends with anything but 0.
    """
    with _running(argv, env, doing, stdin=subprocess.DEVNULL) as (process, said):
        assert process.stdout  # noqa: S101 - `_running` has made the pipe
        while chunk := process.stdout.read1(_CHUNK_BYTES):  # type: ignore[attr-defined]
            yield chunk
        if code := process.wait():
            raise _failed(doing, said, code)


@contextmanager
def _running(
    argv: Sequence[str], env: Mapping[str, str] | None, doing: str, *, stdin: int
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A program and the file of what it says. It is killed if it has not ended by itself.

    In a session of its own it does not see Ctrl-C: devreg does, and has something to end first.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(  # noqa: S603 - the words of argv are data to the shell, never its code
                argv, stdin=stdin, stdout=subprocess.PIPE, stderr=said, env=env, start_new_session=True
            )
        except OSError as error:
            raise ServerError(f"could not {doing}: {error}", hint="is that program installed?") from error
        try:
            yield process, said
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):  # what was still to be written
                pipe.close()
    process.wait()


def _failed(doing: str, said: IO[bytes], code: int) -> ServerError:
    said.seek(0)
    words = said.read()[-2000:].decode(errors="replace").strip() or f"code {code}"
    return ServerError(f"could not {doing}: {words}", hint="`devreg registry logs` may say more")
