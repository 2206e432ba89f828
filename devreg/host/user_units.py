"""Units of a user's own systemd: which of them runs a process, and how they are restarted."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import psutil

from devreg.host.run import CommandFailed, run

_SECONDS = 30
_RESTART_SECONDS = 180
# What user@1000.service, the user's systemd, runs for a unit, however it groups them.
_UNIT = re.compile(r"/user@\d+\.service/(?:[^/\n]+/)*?([^/\n]+\.service)(?:/|$)", re.MULTILINE)


def running(pid: int, starter: str) -> str | None:
    """The unit whose main process is the process `pid`, or an ancestor of it with `starter` in its name.

    None too where the user's systemd cannot be asked: then it cannot be told anything either.
    """
    try:
        found = _UNIT.search(_cgroup(pid))
        if found is None:
            return None
        main = int(_systemctl("show", found[1], "--property=MainPID", "--value").strip() or 0)
        process = psutil.Process(pid)
        starters = [process, *(each for each in process.parents() if starter in each.name())]
    except (CommandFailed, OSError, ValueError, psutil.Error):
        return None
    return found[1] if main in [each.pid for each in starters] else None


def command(unit: str) -> str:
    """The command that starts a unit and the variables for it, as systemd last read them; empty if it cannot say."""
    try:
        return _systemctl("show", unit, "--property=ExecStart,Environment")
    except CommandFailed:
        return ""


def restart(unit: str) -> None:
    """Restart a unit, or start it if it is down. Raises CommandFailed."""
    # After a few failed starts systemd refuses further ones, even with a good file (measured).
    with suppress(CommandFailed):
        _systemctl("reset-failed", unit)
    _systemctl("restart", unit, seconds=_RESTART_SECONDS)


def _cgroup(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


def _systemctl(*words: str, seconds: float = _SECONDS) -> str:
    """Tell the user's systemd, also where no login has said where it listens, as under `sudo -u` and `su`."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return run(["systemctl", "--user", *words], timeout=seconds, env={"XDG_RUNTIME_DIR": runtime}).stdout
