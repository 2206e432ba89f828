"""The one way devreg runs programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_DETACH_SECONDS = 10


@dataclass(frozen=True)
class Completed:
    """What a program wrote before it ended with code 0."""

    stdout: str
    stderr: str


class CommandFailed(Exception):
    """A program could not be run or did not end well: what it means is for the caller to say, in a DevregError.

    `code` is None when the program is missing, may not be run, or took too long; `reason` then says so. What the
    program was fed is not in here: it may be a password.
    """

    def __init__(self, command: Sequence[str], code: int | None, stdout: str, stderr: str, reason: str) -> None:
        super().__init__(command, code, stdout, stderr, reason)
        self.command = tuple(command)
        self.code = code
        self.stdout = stdout
        self.stderr = stderr
        self.reason = reason

    def __str__(self) -> str:
        said = next((line.strip() for line in reversed(self.stderr.splitlines()) if line.strip()), "")
        return f"`{' '.join(self.command)}` {self.reason}" + (f": {said}" if said else "")


def run(
    argv: Sequence[str],
    *,
    input: str | bytes | None = None,
    timeout: float,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program to its end. `env` is laid over devreg's own; without `input` the program's standard input is empty.

    Raises CommandFailed when it is missing, ends with a code other than 0, or takes longer than `timeout` seconds.
    """
    fed = input.encode() if isinstance(input, str) else input
    environment = {**os.environ, **(env or {})}
    try:
        # No shell reads the words of argv, and an empty standard input keeps programs from asking questions. In a
        # session of its own it does not see Ctrl-C: devreg does, and may be about to undo something by it.
        done = subprocess.run(  # noqa: S603
            argv, input=fed or b"", env=environment, timeout=timeout, capture_output=True, start_new_session=True
        )
    except subprocess.TimeoutExpired as error:
        reason = f"took longer than {timeout:g} s"
        raise CommandFailed(argv, None, _text(error.stdout), _text(error.stderr), reason) from None
    except FileNotFoundError:
        raise CommandFailed(argv, None, "", "", "could not be run: there is no such program") from None
    except OSError as error:
        raise CommandFailed(argv, None, "", "", f"could not be run: {error.strerror}") from None
    stdout, stderr = _text(done.stdout), _text(done.stderr)
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, stdout, stderr, f"failed with code {done.returncode}")
    return Completed(stdout, stderr)


def detach(
    argv: Sequence[str],
    *,
    log: Path,
    cwd: Path = Path("/"),
    env: Mapping[str, str] | None = None,
    limits: Mapping[int, tuple[int, int]] | None = None,
) -> int:
    """Start a program that outlives devreg: an orphan in a session of its own, both streams appended to `log`.

    `env` is its whole environment (devreg's own when None), `limits` its resource limits as `resource.getrlimit` gives
    them. Returns its process id; whether it stays alive is for the caller to watch. Raises CommandFailed.
    """
    # The shell between ends at once, so that process 1 adopts the program and nobody has to wait for it.
    shell = ["/bin/sh", "-c", '"$@" >>"$0" 2>&1 </dev/null & echo $!', str(log), *argv]
    try:
        done = subprocess.run(  # noqa: S603  # the words of argv are the shell's parameters, never its code
            shell,
            cwd=cwd,
            env=env,
            timeout=_DETACH_SECONDS,
            check=True,
            capture_output=True,
            start_new_session=True,
            preexec_fn=lambda: _limit(limits or {}),
        )
        return int(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise CommandFailed(argv, None, "", "", f"could not be started: {error}") from None


def _limit(limits: Mapping[int, tuple[int, int]]) -> None:
    import resource  # where there is none (Windows), this module can still be imported

    for name, values in limits.items():
        # A hard limit above devreg's own needs CAP_SYS_RESOURCE, which root lacks in some containers.
        with suppress(ValueError, OSError):
            resource.setrlimit(name, values)


def _text(stream: bytes | str | None) -> str:
    return stream if isinstance(stream, str) else (stream or b"").decode(errors="replace")
