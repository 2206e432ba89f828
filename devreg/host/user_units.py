"""Units of a user's own systemd: which of them runs a process, what they start, and how they are restarted."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import psutil

from devreg.host import unit_flags
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
    """The command that starts a unit and the variables for it.

    That is as systemd last read them, if it can say, and as its files give them now: it may not have been told yet to
    read those again.
    """
    try:
        read = _systemctl("show", unit, "--property=ExecStart,Environment")
    except CommandFailed:
        read = ""
    return "\n".join((read, *(words for words, _ in unit_flags.command(unit, _folders()))))


def restart(unit: str) -> None:
    """Restart a unit, or start it if it is down. Raises CommandFailed."""
    # After a few failed starts systemd refuses further ones, even with a good file (measured).
    with suppress(CommandFailed):
        _systemctl("reset-failed", unit)
    _systemctl("restart", unit, seconds=_RESTART_SECONDS)


def _folders() -> tuple[str, ...]:
    """Where a user's systemd looks for units, the highest first: see systemd.unit(5)."""
    home, runtime = Path.home(), f"{_runtime()}/systemd"
    return (
        f"{home}/.config/systemd/user.control",
        f"{runtime}/user.control",
        f"{runtime}/transient",
        f"{runtime}/generator.early",
        f"{home}/.config/systemd/user",
        "/etc/xdg/systemd/user",
        "/etc/systemd/user",
        f"{runtime}/user",
        "/run/systemd/user",
        f"{runtime}/generator",
        f"{home}/.local/share/systemd/user",
        "/usr/local/share/systemd/user",
        "/usr/share/systemd/user",
        "/usr/local/lib/systemd/user",
        "/usr/lib/systemd/user",
        f"{runtime}/generator.late",
    )


def _cgroup(pid: int) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


def _runtime() -> str:
    """Where the user's systemd listens and keeps what lasts until it ends, also where no login has said so: as under
    `sudo -u` and `su`."""
    return os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"


def _systemctl(*words: str, seconds: float = _SECONDS) -> str:
    return run(["systemctl", "--user", *words], timeout=seconds, env={"XDG_RUNTIME_DIR": _runtime()}).stdout
