"""Reload and restart dockerd, by whoever started it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from devreg.host.dockerd import Dockerd, Manager
from devreg.host.processes import lives
from devreg.host.run import CommandFailed, detach, run

_RELOAD_SECONDS = 30
_RESTART_SECONDS = 180
_POLL_SECONDS = 0.1
_LOG_TAIL_BYTES = 2000


class ServiceFailed(Exception):
    """dockerd could not be reloaded or restarted; the text says why."""


def reload(dockerd: Dockerd) -> None:
    """Tell dockerd to read its daemon.json again. Raises ServiceFailed when it cannot be told.

    No failure does not mean that it liked the file: it only logs a refusal, and `systemctl reload` returns 0 then too
    (measured on engine 20.10 and 28.5). It must have finished starting: a SIGHUP before kills it (measured).
    """
    try:
        if dockerd.unit:
            run(["systemctl", "reload", dockerd.unit], timeout=_RELOAD_SECONDS)
        else:
            hang_up(dockerd.pid)
    except (CommandFailed, OSError) as error:
        raise ServiceFailed(f"Docker could not be told to reload: {error}") from error


def hang_up(pid: int) -> None:
    """Send SIGHUP, which daemons take for "read your files again". Raises OSError."""
    os.kill(pid, signal.SIGHUP)


def restart(dockerd: Dockerd, answers: Callable[[], bool]) -> Dockerd:
    """Stop dockerd if it runs, start it, and wait until `answers()`. Return it as it runs now.

    Raises ServiceFailed when it does not stop, does not start or does not answer, or when nobody here may restart it.
    """
    try:
        if dockerd.unit:
            _restart_unit(dockerd.unit)
        elif dockerd.manager is Manager.INIT_SCRIPT:
            run(["service", "docker", "restart"], timeout=_RESTART_SECONDS)
        else:
            return _restart_detached(dockerd, answers)
    except (CommandFailed, OSError) as error:
        raise ServiceFailed(f"Docker could not be restarted: {error}") from error
    _wait(_RESTART_SECONDS, answers, "Docker was restarted, but does not answer")
    return dockerd


def restart_commands(dockerd: Dockerd) -> str:
    """What a person types to restart it."""
    if dockerd.unit:
        return f"sudo systemctl reset-failed {' '.join(_units(dockerd.unit))}; sudo systemctl restart {dockerd.unit}"
    if dockerd.manager is Manager.INIT_SCRIPT:
        return "sudo service docker restart"
    return f"sudo {' '.join(dockerd.launch.argv)}" if dockerd.launch else "restart dockerd"


def _units(unit: str) -> list[str]:
    return [unit, "docker.socket"] if unit == "docker.service" else [unit]


def _restart_unit(unit: str) -> None:
    # After a few failed starts systemd refuses further ones, even with a good file (measured).
    with suppress(CommandFailed):
        run(["systemctl", "reset-failed", *_units(unit)], timeout=_RELOAD_SECONDS)
    run(["systemctl", "restart", unit], timeout=_RESTART_SECONDS)


def _restart_detached(dockerd: Dockerd, answers: Callable[[], bool]) -> Dockerd:
    launch = dockerd.launch
    if launch is None:
        raise ServiceFailed(f"dockerd (process {dockerd.pid}) has a parent that may watch over it; restart it there")
    with suppress(ProcessLookupError):
        if lives(dockerd.pid):
            os.kill(dockerd.pid, signal.SIGTERM)
    _wait(_RESTART_SECONDS, lambda: not lives(dockerd.pid), f"dockerd (process {dockerd.pid}) does not stop")
    pid = detach(launch.argv, log=launch.log, cwd=launch.cwd, env=launch.env, limits=launch.limits)
    _wait(_RESTART_SECONDS, lambda: not lives(pid) or answers(), "dockerd was started, but does not answer")
    if not lives(pid):
        raise ServiceFailed(f"dockerd ended at once: {_last_line(launch.log)}")
    return replace(dockerd, pid=pid)


def _wait(seconds: float, done: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise ServiceFailed(f"{complaint} (waited {seconds:g} s)")
        time.sleep(_POLL_SECONDS)


def _last_line(log: Path) -> str:
    try:
        tail = log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
    except OSError:
        return f"see {log}"
    return next((line for line in reversed(tail.splitlines()) if line.strip()), f"see {log}")
