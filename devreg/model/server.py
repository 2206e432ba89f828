"""What a container of the registry server is, for those who describe it (`server`) and those who run it (`engine`)."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Literal

from devreg.model.errors import UsageError
from devreg.model.server_tls import Certificate

LABEL_ROLE = "io.devreg.role"
LABEL_DEFINITION = "io.devreg.definition"
LABEL_MADE = "io.devreg.made"

_MEMORY = re.compile(r"(\d{1,15})([kmg]?)b?", re.ASCII)
_MEMORY_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_LEAST_MEMORY = 64 * 2**20

Role = Literal["registry", "nginx", "mirror"]
SERVER_ROLES: tuple[Role, ...] = ("registry", "nginx")


@dataclass(frozen=True)
class Listen:
    """Where the server is published on this machine."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return ipaddress.ip_address(self.ip).is_loopback

    @property
    def address(self) -> str:
        """What to call the server from this machine: every-address listeners answer on loopback too."""
        ip = ipaddress.ip_address(self.ip)
        if ip.is_unspecified:
            return f"127.0.0.1:{self.port}" if ip.version == 4 else f"[::1]:{self.port}"
        return str(self)

    def collides(self, other: Listen) -> bool:
        """Whether two programs cannot listen on both."""
        ours, theirs = ipaddress.ip_address(self.ip), ipaddress.ip_address(other.ip)
        return self.port == other.port and (ours == theirs or ours.is_unspecified or theirs.is_unspecified)

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Read `ADDR:PORT`, `[::1]:PORT` or `:PORT` (every address). Raises UsageError that names the fault."""
        host, colon, digits = text.rpartition(":")
        hint = "write it as 127.0.0.1:5000, 0.0.0.0:5000 or [::1]:5000"
        if not colon or not (digits.isascii() and digits.isdigit()) or not 1 <= int(digits) <= 65535:
            raise UsageError(f"cannot listen on {text!r}: the port has to be a number from 1 to 65535", hint=hint)
        host = {"": "0.0.0.0", "localhost": "127.0.0.1"}.get(host, host.strip("[]"))  # noqa: S104 - asked for by leaving it out
        try:
            return cls(str(ipaddress.ip_address(host)), int(digits))
        except ValueError as error:
            raise UsageError(f"cannot listen on {text!r}: {host!r} is not an IP address", hint=hint) from error


def memory(text: str) -> int | None:
    """Bytes of memory from `512m`, `1g` (binary units, as docker has them) or a number; None for `none`.

    Raises UsageError for what is no amount, or too little for a registry.
    """
    if text == "none":
        return None
    found = _MEMORY.fullmatch(text.lower())
    amount = int(found[1]) * _MEMORY_UNITS[found[2]] if found else 0
    if amount < _LEAST_MEMORY:
        raise UsageError(f"{text!r} is no amount of memory for a server", hint="write 512m, 2g (at least 64m), or none")
    return amount


class ImagesFrom(str, Enum):
    """`--images-from`: `auto` pulls, and builds from packages when that fails."""

    AUTO = "auto"
    HUB = "hub"
    PACKAGES = "packages"


@dataclass(frozen=True)
class ServerImages:
    """The image of each role."""

    registry: str
    nginx: str


@dataclass(frozen=True)
class Hub:
    """A registry that another one mirrors: its URL, and who that one is there, nobody for None."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Store:
    """The registry program: the folder of its data, and where it listens for nginx (`net` is tcp or unix).

    `debug`: where it tells how many requests are under way, for nobody but those in its container.
    `hub`: where what it lacks is fetched from.
    """

    folder: str
    net: Literal["tcp", "unix"]
    address: str
    debug: str | None = None
    hub: Hub | None = None


@dataclass(frozen=True)
class Front:
    """What nginx does in front of the registry, wherever it runs.

    `listen` and `upstream` are what nginx calls so: addresses, with `ssl` where there is a `certificate`; and the
    registry's, `unix:PATH` or `ADDR:PORT`. `checker` is where nginx asks itself whether a password is right.
    While there is a `pause_file` with `.uploads` or `.writes` after its name, those are asked to come back later.
    """

    listen: tuple[str, ...]
    upstream: str
    users_file: str
    checker: str = "127.0.0.1:5001"
    server_name: str | None = None
    certificate: Certificate | None = None
    pause_file: str | None = None


@dataclass(frozen=True)
class NginxProcess:
    """An nginx of our own: the user of its workers, and where it writes."""

    user: str
    pid_file: str
    error_log: str
    access_log: str


@dataclass(frozen=True)
class Container:
    """One container: everything the engine has to be told. `mounts` and `files` are keyed by the path inside.

    `command` replaces the image's entrypoint. `inner_port` is the port that `publish` leads to.

    What it may do is little: its root is read-only but for `mounts` and for `scratch`, folders in memory that are empty
    at each start; of root's capabilities it has those named; `memory` (bytes, no swap; None: all there is) and
    `processes` (threads too) end what has run away. At the limit of memory the kernel kills it, and it starts again.
    """

    role: Role
    name: str
    image: str
    command: tuple[str, ...]
    mounts: dict[str, str]
    files: dict[str, str]
    user: str | None = None
    publish: Listen | None = None
    inner_port: int | None = None
    scratch: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    memory: int | None = None
    processes: int = 4096
    file_mode: int = 0o644

    @property
    def file_folders(self) -> tuple[str, ...]:
        """The folders that hold `files`, each once."""
        return tuple(sorted({path.rpartition("/")[0] for path in self.files}))

    @property
    def fingerprint(self) -> str:
        """Changes when anything of the definition does: so `up` knows whether a container is still right."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
