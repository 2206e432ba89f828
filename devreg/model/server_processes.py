"""What the registry server consists of where it runs as plain processes: programs, accounts and folders, as values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from devreg.model.errors import UsageError
from devreg.model.server import ServerFile

# What needs no quoting in any of the files that a path is written into: nginx's, supervisord's, YAML.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._@+-]*")


class Runtime(str, Enum):
    """`--runtime`: what the server runs in. `AUTO` is containers where an engine answers, else processes."""

    AUTO = "auto"
    CONTAINERS = "containers"
    PROCESSES = "processes"


@dataclass(frozen=True)
class Programs:
    """Where the programs are; `libraries` are the folders of those that are not installed where the system looks."""

    registry: str
    nginx: str
    setpriv: str
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Accounts:
    """Whose rights root gives the programs: the registry's user, the user of nginx's workers and that one's group."""

    registry: str
    workers: str
    group: str


@dataclass(frozen=True)
class Place:
    """The folder that holds everything of one server."""

    folder: str

    def __post_init__(self) -> None:
        """Raise UsageError for a path that configuration files would misread."""
        if not _PLAIN_PATH.fullmatch(self.folder):
            raise UsageError(
                f"the registry cannot keep its data in {self.folder!r}",
                hint="choose a folder by --data whose path has letters, digits and / . _ - + @ only",
            )

    @property
    def data(self) -> str:
        """The images."""
        return f"{self.folder}/data"

    @property
    def users(self) -> str:
        """The folder of the users' file."""
        return f"{self.folder}/users"

    @property
    def tls(self) -> str:
        """The folder of the server's certificate and key."""
        return f"{self.folder}/tls"

    def file(self, file: ServerFile) -> str:
        """What nginx goes by and a running server gets anew."""
        return {
            ServerFile.USERS: f"{self.users}/htpasswd",
            ServerFile.RULES: f"{self.users}/push-rules.conf",
            ServerFile.CERTIFICATE: f"{self.tls}/server.pem",
            ServerFile.UNREAD: f"{self.users}/unread",
        }[file]

    @property
    def conf(self) -> str:
        """The configuration files."""
        return f"{self.folder}/conf"

    @property
    def log(self) -> str:
        """What the programs write."""
        return f"{self.folder}/log"

    @property
    def temp(self) -> str:
        """nginx's temporary files."""
        return f"{self.folder}/temp"

    @property
    def run(self) -> str:
        """Sockets and process ids. All programs work in it, so that sockets have short names: see `REGISTRY_SOCKET`."""
        return f"{self.folder}/run"

    @property
    def behind(self) -> str:
        """The folder of the registry's socket, into which it alone may write."""
        return f"{self.run}/registry"

    @property
    def pause(self) -> str:
        """What the files begin with by which nginx is asked to have pushes wait. The registry's account makes them."""
        return f"{self.behind}/pause"


# The kernel takes 107 bytes for the path of a socket, and home folders may be deep: relative to `Place.run`.
REGISTRY_SOCKET = "registry/socket"
SUPERVISOR_SOCKET = "supervisor.socket"


@dataclass(frozen=True)
class Program:
    """One program as supervisord is told of it. `umask` in octal digits; `stop_signal` by its name without SIG."""

    role: str
    command: tuple[str, ...]
    umask: str
    stop_signal: str
    environment: dict[str, str]
