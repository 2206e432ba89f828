"""What dockerd itself says of a daemon.json that it has not read yet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import psutil

from devreg.host.dockerd import Dockerd
from devreg.host.run import CommandFailed, run

_SECONDS = 20
_STDIN = "/dev/stdin"  # so that no copy of the file lies about
_UNKNOWN = "unknown flag: --validate"  # engines before 23.0


def complaint(dockerd: Dockerd, content: bytes) -> str | None:
    """Why `dockerd --validate` refuses the content, with the flags of the running dockerd; None if it does not.

    Also None where it cannot be asked: engines before 23.0 know no --validate, and only root may look at the program.
    It does not check insecure-registries (measured).
    """
    try:
        program, flags, path = _command(dockerd.pid)
    except (psutil.Error, OSError):
        return None
    argv = [program, *flags, "--validate", "--config-file", _STDIN]
    try:
        run(argv, input=content, timeout=_SECONDS, env={"PATH": path})
    except CommandFailed as error:
        if error.code is None or _UNKNOWN in error.stderr:
            return None
        last = next((line for line in reversed(error.stderr.splitlines()) if line.strip()), str(error))
        return last.replace(_STDIN, str(dockerd.config_file)).strip()
    return None


def _command(pid: int) -> tuple[str, list[str], str]:
    """The program, the flags and the PATH of the running dockerd: it looks for docker-proxy there (26.1, measured)."""
    process = psutil.Process(pid)
    argv = process.cmdline()
    program = process.exe() or argv[0]
    path = process.environ().get("PATH") or os.defpath
    return program.removesuffix(" (deleted)"), list(_without_file(argv[1:])), path


def _without_file(words: Sequence[str]) -> Iterator[str]:
    skip = False
    for word in words:
        if not skip and word != "--config-file" and not word.startswith("--config-file="):
            yield word
        skip = word == "--config-file"
