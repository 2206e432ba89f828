"""Install and start a Docker engine on a machine that has none, and stop it again."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from devreg.host.processes import lives
from devreg.host.run import CommandFailed, detach, run
from devreg.model.errors import EngineUnreachable

# docker.io needs the parser where the kernel has AppArmor, and certificates for hubs; both are only recommended by it.
PACKAGES = ("docker.io", "apparmor", "ca-certificates")
LOG = Path("/var/log/dockerd.log")
DATA = (Path("/var/lib/docker"), Path("/var/lib/containerd"))
DETACHED = "a detached dockerd"
# What dockerd writes of itself: its process id, and an identity that nothing uses any more.
_PID_FILE = Path("/var/run/docker.pid")
_KEY = Path("/etc/docker/key.json")
_SERVICE_SECONDS = 90
_ANSWER_SECONDS = 30
_POLL_SECONDS = 0.2
_CAPABILITIES = (12, 21)  # NET_ADMIN and SYS_ADMIN, see capabilities(7)


def has_data() -> bool:
    """Whether an engine has left anything on this machine, maybe one that was removed since."""
    return any(path.is_dir() and any(path.iterdir()) for path in DATA)


def remove_data() -> None:
    """Delete what a removed engine has left. Only for data that was not there before devreg installed it."""
    for path in DATA:
        shutil.rmtree(path, ignore_errors=True)
    LOG.unlink(missing_ok=True)
    _KEY.unlink(missing_ok=True)
    with suppress(OSError):  # a daemon.json in it is not ours to delete
        _KEY.parent.rmdir()


def may_run() -> bool:
    """Whether this process has the rights to mount and to set up networks, as dockerd must. Root of many containers
    has not."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # not Linux
        return True
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    return all(effective >> number & 1 for number in _CAPABILITIES)


def installed() -> bool:
    """Whether there is a dockerd to start."""
    return shutil.which("dockerd", path=_path()) is not None


def start(answers: Callable[[], bool]) -> dict[str, str]:
    """Start dockerd: by systemd where it runs, else by the init script, else detached.

    An init script that does not get it to answer (some cannot set their limits in containers) gives way to a detached
    dockerd. Returns what `stop` needs, and `how`, for people. Raises EngineUnreachable with dockerd's last words.
    """
    if Path("/run/systemd/system").is_dir():
        _service(["systemctl", "start", "docker"])
        if _wait(answers):
            return {"how": "systemd", "stop": "systemctl stop docker docker.socket"}
        raise EngineUnreachable(
            "systemd started Docker, but it does not answer", hint="`journalctl -u docker -n 50` says why"
        )
    if Path("/etc/init.d/docker").exists():
        with suppress(EngineUnreachable):
            _service(["service", "docker", "start"])
            if _wait(answers):
                return {"how": "its init script", "stop": "service docker stop"}
    return _detached(answers)


def stop(started: dict[str, str]) -> None:
    """Stop the engine that `start` started."""
    if started["how"] == DETACHED:
        _stop_detached()
        return
    with suppress(CommandFailed):
        run(started["stop"].split(), timeout=_SERVICE_SECONDS)


def _stop_detached() -> None:
    """The process may be another than the one that was started: `trust --restart` starts a new one."""
    with suppress(OSError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int(_PID_FILE.read_text()))
        if process.name() == "dockerd":
            process.terminate()
            _wait(lambda: not lives(process.pid))


def _detached(answers: Callable[[], bool]) -> dict[str, str]:
    try:
        pid = detach([shutil.which("dockerd", path=_path()) or "dockerd"], log=LOG, env={**os.environ, "PATH": _path()})
    except CommandFailed as error:
        raise EngineUnreachable(
            f"dockerd could not be started: {error}", hint="install Docker, then try again"
        ) from error
    if _wait(lambda: answers() or not lives(pid)) and answers():
        return {"how": DETACHED, "stop": f"kill $(cat {_PID_FILE})"}
    if lives(pid):
        os.kill(pid, signal.SIGTERM)
    raise EngineUnreachable(f"dockerd does not start here: {_last_words()}", hint=f"{LOG} has all that it said")


def _service(argv: list[str]) -> None:
    try:
        run(argv, timeout=_SERVICE_SECONDS)
    except CommandFailed as error:
        raise EngineUnreachable(f"Docker could not be started: {error}", hint="see the service's log") from error


def _wait(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _ANSWER_SECONDS
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _path() -> str:
    """Where daemons are, which is not on everybody's PATH."""
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def _last_words() -> str:
    with suppress(OSError):
        lines = [line for line in LOG.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"
    return "it left no log"
