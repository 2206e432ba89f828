"""Which process is the engine behind a unix socket, which daemon.json it reads, and who started it.

The kernel tells who listens (SO_PEERCRED, see unix(7)); the rest is in /proc. Linux only.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from pathlib import Path

import psutil

from devreg.host.run import CommandFailed, run
from devreg.model.errors import ConfigUnusable, EngineUnreachable

DEFAULT_CONFIG_FILE = Path("/etc/docker/daemon.json")
DEFAULT_LOG = Path("/var/log/dockerd.log")

_INIT_SCRIPT = Path("/etc/init.d/docker")
_INIT_SCRIPT_PID_FILE = Path("/var/run/docker-ssd.pid")  # written by Debian's script only; docker.pid is dockerd's own
_SYSTEMD = Path("/run/systemd/system")  # exists exactly while systemd runs, see sd_booted(3)
_SYSTEMCTL_SECONDS = 30


class Manager(Enum):
    """Who started dockerd, and so who can restart it."""

    SYSTEMD = "systemd"
    USER_SYSTEMD = "the user's systemd"
    INIT_SCRIPT = "init script"
    DETACHED = "detached"


@dataclass(frozen=True)
class Launch:
    """All that it takes to start a detached dockerd again as it was. `limits`: resource limits by number."""

    argv: tuple[str, ...]
    cwd: Path
    log: Path
    env: dict[str, str] = field(repr=False)  # proxy passwords may be in it
    limits: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Dockerd:
    """A running dockerd.

    `flags`: the values of its --insecure-registry flags. `unit`: its systemd unit, if it has one. `launch`: how it was
    started; None when this user may not see that, or when something watches over it. `folder`: where its certificates
    are.
    """

    pid: int
    config_file: Path
    flags: tuple[str, ...]
    manager: Manager
    unit: str | None = None
    launch: Launch | None = None
    folder: Path = DEFAULT_CONFIG_FILE.parent

    @property
    def restartable(self) -> bool:
        """Whether it is known how to start it again."""
        return self.manager is not Manager.DETACHED or self.launch is not None


def find(path: Path, *, rootless: bool = False) -> Dockerd:
    """The dockerd that listens on the unix socket `path`. `rootless`: one of this user's own, which no root started.

    Raises EngineUnreachable when nobody listens there, ConfigUnusable when the listener is not a dockerd of this
    machine whose settings are a plain daemon.json (a snap's, another container's, a proxy).
    """
    pid = listener(path)
    if pid == 1 and _SYSTEMD.exists():  # socket activation: systemd listens for docker.service
        pid = _main_pid("docker.service")
    if pid == 0:
        raise ConfigUnusable(
            f"the engine behind {path} runs outside this container or machine, and so does its daemon.json",
            hint="run the command where dockerd runs",
        )
    try:
        return _describe(psutil.Process(pid), path, rootless)
    except (psutil.Error, ProcessLookupError) as error:
        raise EngineUnreachable(f"the engine behind {path} went away: {error}", hint="is Docker running?") from error


def program(path: Path) -> str:
    """The file that runs as the process which listens on the unix socket `path`; empty where that cannot be seen."""
    try:
        return psutil.Process(listener(path)).exe()
    except (psutil.Error, ValueError, EngineUnreachable):
        return ""


def listener(path: Path) -> int:
    """The process that listens on a unix socket, 0 when it is in no namespace that this process can see."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(path))
        except OSError as error:
            raise EngineUnreachable(f"cannot reach {path}: {error.strerror}", hint="check that Docker runs") from error
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def _describe(process: psutil.Process, path: Path, rootless: bool) -> Dockerd:
    if process.name() != "dockerd":
        raise ConfigUnusable(
            f"{process.name()} (process {process.pid}) listens on {path}, not dockerd",
            hint="point DOCKER_HOST at dockerd's own socket",
        )
    _refuse_foreign_root(process)
    argv = process.cmdline()
    file = _values(argv, "--config-file")[-1:]
    folder = _own_folder(process) if rootless else DEFAULT_CONFIG_FILE.parent
    unit = None if rootless else _unit(process.pid)
    manager = Manager.SYSTEMD if unit else Manager.INIT_SCRIPT if _by_init_script(process.pid) else Manager.DETACHED
    return Dockerd(
        pid=process.pid,
        config_file=_absolute(process, file[0]) if file else folder / DEFAULT_CONFIG_FILE.name,
        flags=tuple(_values(argv, "--insecure-registry")),
        manager=manager,
        unit=unit,
        launch=_launch(process, argv) if manager is Manager.DETACHED else None,
        folder=folder,
    )


def _own_folder(process: psutil.Process) -> Path:
    """Where a dockerd without root looks for its files."""
    environment = process.environ()
    return Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "/"), ".config")) / "docker"


def _refuse_foreign_root(process: psutil.Process) -> None:
    try:
        same_root = Path(f"/proc/{process.pid}/root").samefile("/")
    except OSError:
        return  # only root may look; who is not root changes nothing either
    if not same_root:
        raise ConfigUnusable(
            f"dockerd (process {process.pid}) sees other files than devreg: it runs in a container or chroot",
            hint="run the command in there",
        )


def _values(argv: Sequence[str], flag: str) -> list[str]:
    """The values of a flag, in both spellings that dockerd takes: `--flag value` and `--flag=value`."""
    following = [after for word, after in pairwise(argv) if word == flag]
    joined = [word.removeprefix(f"{flag}=") for word in argv if word.startswith(f"{flag}=")]
    return following + joined


def _absolute(process: psutil.Process, file: str) -> Path:
    return Path(file) if file.startswith("/") else Path(process.cwd()) / file


def _unit(pid: int) -> str | None:
    """The systemd unit whose main process this is."""
    if not _SYSTEMD.exists():
        return None
    found = re.search(r"/([^/]+\.service)$", _cgroup(pid), re.MULTILINE)
    return found[1] if found and _main_pid(found[1]) == pid else None


def _cgroup(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""


def _main_pid(unit: str) -> int:
    try:
        answer = run(["systemctl", "show", unit, "--property=MainPID"], timeout=_SYSTEMCTL_SECONDS).stdout
    except CommandFailed:
        return 0
    return int(answer.strip().removeprefix("MainPID=") or 0)


def _by_init_script(pid: int) -> bool:
    try:
        return _INIT_SCRIPT.exists() and int(_INIT_SCRIPT_PID_FILE.read_text()) == pid
    except (OSError, ValueError):
        return False


def _launch(process: psutil.Process, argv: Sequence[str]) -> Launch | None:
    if not _is_orphan(process):
        return None
    try:
        return Launch(
            argv=tuple(argv),
            cwd=Path(process.cwd()),
            log=_log(process.pid),
            env=process.environ(),
            limits={limit: process.rlimit(limit) for limit in _limits()},
        )
    except (psutil.AccessDenied, PermissionError):
        return None


def _limits() -> tuple[int, ...]:
    """The limits that init scripts and people raise for dockerd; its containers inherit them."""
    return psutil.RLIMIT_NOFILE, psutil.RLIMIT_NPROC, psutil.RLIMIT_CORE, psutil.RLIMIT_MEMLOCK


def _is_orphan(process: psutil.Process) -> bool:
    """Whether nobody waits for this process to end: it has outlived who started it.

    A script or supervisor that runs as process 1 keeps its children in its own session. Any other living parent may
    be a supervisor, unless it can only have adopted the process: that needs another session, whose first process is
    gone. The parent's own session may have lost its first process too: supervisors become daemons by that.
    """
    if process.pid == 1:
        return False
    session, parent = os.getsid(process.pid), process.ppid()
    if parent in (0, 1):
        return session != os.getsid(1)
    return session != os.getsid(parent) and not psutil.pid_exists(session)


def _log(pid: int) -> Path:
    """Where the process writes its errors, if that is a file."""
    try:
        stream = Path(f"/proc/{pid}/fd/2").readlink()
    except OSError:
        return DEFAULT_LOG
    return stream if stream.is_absolute() and stream.is_file() else DEFAULT_LOG
