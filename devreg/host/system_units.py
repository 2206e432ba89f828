"""A service of this machine's systemd: how it is, and how it is brought to be otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devreg.host.run import CommandFailed, run
from devreg.host.shell import printed
from devreg.model.errors import ServerError

_SECONDS = 60
_STOP_SECONDS = 180
# Between two tries of a unit with Restart=always it is "activating": it is meant to run.
_ACTIVE = ("active", "activating", "reloading")


@dataclass(frozen=True)
class UnitState:
    """Whether a unit starts with the machine, and whether it runs or is about to."""

    enabled: bool = False
    active: bool = False


def booted() -> bool:
    """Whether systemd runs this machine, see sd_booted(3)."""
    return Path("/run/systemd/system").is_dir()


def state(unit: str) -> UnitState:
    """How a unit is; one that does not exist is neither. Raises ServerError."""
    shown = _systemctl("show", unit, "--property=UnitFileState,ActiveState")
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return UnitState(values.get("UnitFileState") == "enabled", values.get("ActiveState") in _ACTIVE)


def failures(unit: str) -> int:
    """How often a unit has ended by itself and was started again, since somebody started it. Raises ServerError."""
    return int(_systemctl("show", unit, "--property=NRestarts", "--value").strip() or 0)


def stop(unit: str) -> None:
    """Stop a unit that runs, and forget that it has failed. Raises ServerError."""
    if state(unit).active:
        _systemctl("stop", unit, seconds=_STOP_SECONDS)
    with suppress(ServerError):  # there is nothing to forget of a unit that never ran
        _systemctl("reset-failed", unit)


def disable(unit: str) -> None:
    """Have a unit no longer start with the machine. Raises ServerError."""
    if state(unit).enabled:
        _systemctl("disable", unit)


def reread() -> None:
    """Have systemd read the files of units again. Raises ServerError."""
    _systemctl("daemon-reload")


def enable(unit: str) -> None:
    """Have a unit start with the machine, by the file that counts now. Raises ServerError."""
    _systemctl("enable", unit)


def restart(unit: str) -> None:
    """Start a unit, anew if it runs. Raises ServerError."""
    with suppress(ServerError):  # after a few failures systemd refuses further starts
        _systemctl("reset-failed", unit)
    _systemctl("restart", unit, seconds=_STOP_SECONDS)


def main_process(unit: str) -> int | None:
    """The id of a unit's main process; None while it does not run. Raises ServerError."""
    return int(_systemctl("show", unit, "--property=MainPID", "--value").strip() or 0) or None


def journal(unit: str, *, tail: int | None, follow: bool) -> Iterator[bytes]:
    """What a unit's programs wrote, the oldest first; with `follow` what comes too, for ever. Raises ServerError."""
    lines = ("--lines=all" if tail is None else f"--lines={tail}", *(("--follow",) if follow else ()))
    return printed(["journalctl", f"--unit={unit}", "--output=cat", "--no-pager", *lines], doing="read the journal")


def last_line(unit: str) -> str:
    """The last thing that a unit's programs said."""
    with suppress(CommandFailed):
        said = run(["journalctl", f"--unit={unit}", "--lines=20", "--output=cat", "--no-pager"], timeout=_SECONDS)
        # What docker itself says comes last before systemd's own words about the unit.
        lines = [line for line in said.stdout.splitlines() if line.strip() and unit not in line]
        return lines[-1] if lines else "it said nothing"
    return "its log cannot be read"


def _systemctl(*words: str, seconds: float = _SECONDS) -> str:
    try:
        return run(["systemctl", *words], timeout=seconds).stdout
    except CommandFailed as error:
        unit = words[1] if len(words) > 1 else "systemd"
        raise ServerError(str(error), hint=f"`journalctl --unit={unit} -n 30` says more") from error
