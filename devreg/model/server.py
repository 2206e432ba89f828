"""What a container of the registry server is, for those who describe it (`server`) and those who run it (`engine`)."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Literal

from devreg.model import service_url
from devreg.model.errors import UsageError
from devreg.model.server_tls import Certificate, Tls
from devreg.model.server_tls import parse as parse_tls

LABEL_ROLE = "io.devreg.role"
LABEL_DEFINITION = "io.devreg.definition"
LABEL_MADE = "io.devreg.made"
LABEL_CHOICES = "io.devreg.choices"

_MEMORY = re.compile(r"(\d{1,15})([kmg]?)b?", re.ASCII)
_MEMORY_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_LEAST_MEMORY = 64 * 2**20

# Of each container: the bytes of a scratch folder, and what the engine keeps of its log.
SCRATCH_BYTES = 64 * 2**20
LOG = {"max-size": "10m", "max-file": "3"}

Role = Literal["registry", "nginx", "mirror"]
SERVER_ROLES: tuple[Role, ...] = ("registry", "nginx")

# Where the checker of a Front that counts pushes tells whether any is under way.
PUSHES = "/pushes"

# What these allow cannot end a word in any of the files that are rendered.
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_PATH = re.compile(r"/[A-Za-z0-9._/@+-]*")


def given_certificate(tls: str) -> Certificate | None:
    """What `--tls` says where devreg makes no certificate: absolute paths, of letters that configuration files take as
    they are; None for plain HTTP. Raises UsageError."""
    choice = parse_tls(tls)
    if choice is Tls.OFF:
        return None
    if not isinstance(choice, Certificate):
        raise UsageError(
            "this does not make a certificate",
            hint="name one: --tls CERTIFICATE.pem,KEY.pem; or `devreg registry up --tls self-signed` makes one",
        )
    for path in (choice.chain, choice.key):
        if not _PATH.fullmatch(path):
            raise UsageError(f"{path!r} is no path for a configuration file", hint="begin it with /, without blanks")
    return choice


class ServerFile(Enum):
    """What nginx goes by and a running server gets anew: its users (htpasswd), where they may push, its certificate.

    The certificate is one PEM file with its chain and its key, so that all are replaced in one step. `UNREAD` is there
    while nginx may not have read again what was replaced.
    """

    USERS = "users"
    RULES = "rules"
    CERTIFICATE = "certificate"
    UNREAD = "unread"


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
    def is_unspecified(self) -> bool:
        """Whether it is every address of this machine."""
        return ipaddress.ip_address(self.ip).is_unspecified

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
class S3:
    """A bucket that keeps the registry's data. `endpoint`: of a server that is not Amazon's, as a URL."""

    bucket: str
    region: str
    endpoint: str | None = None

    @classmethod
    def checked(cls, bucket: str, region: str, endpoint: str | None) -> S3:
        """What somebody typed. Raises UsageError."""
        if not _HOST.fullmatch(bucket) or not _HOST.fullmatch(region):
            raise UsageError(f"{bucket!r} in {region!r} is no bucket", hint="letters, digits, dots and dashes")
        if endpoint is not None and service_url.host(endpoint, path=False) is None:
            raise UsageError(f"{endpoint!r} is no S3 server", hint="write it as https://HOST[:PORT]")
        return cls(bucket, region, endpoint)


@dataclass(frozen=True)
class Nfs:
    """A folder that an NFS server exports."""

    server: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Nfs:
        """Read `SERVER:/PATH`. Raises UsageError."""
        server, _, path = text.partition(":")
        if not _HOST.fullmatch(server) or not _PATH.fullmatch(path):
            raise UsageError(f"{text!r} is no folder of an NFS server", hint="write it as SERVER:/PATH")
        return cls(server, path)


@dataclass(frozen=True)
class Hub:
    """A registry that another one mirrors: its URL, and who that one is there, nobody for None."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Store:
    """The registry program: where its data is, and where it listens for nginx (`net` is tcp or unix).

    `shared`: other registries use the same data; then nothing that is there is remembered, since another may delete it.
    `debug`: where it tells how many requests are under way, for nobody but those in its container.
    `hub`: where what it lacks is fetched from.
    """

    folder: str
    net: Literal["tcp", "unix"]
    address: str
    s3: S3 | None = None
    shared: bool = False
    debug: str | None = None
    hub: Hub | None = None


@dataclass(frozen=True)
class Front:
    """What nginx does in front of the registry, wherever it runs.

    `listen` and `upstream` are what nginx calls so: addresses, with `ssl` where there is a `certificate`; and the
    registry's, `unix:PATH` or `ADDR:PORT`. `checker` is where nginx asks itself whether a password is right.
    `resolver`: the name server to ask again and again where `upstream` is, for registries that come and go.
    `rules_file`: lines of nginx's `map` that say to which repositories users may push; it may be missing.
    `external_auth`: a URL that checks passwords instead of `users_file`; with https by the authorities in
    `external_auth_ca`.
    `blobs_folder`: that of the registry, where nginx may read it.
    While there is a `pause_file` with `.uploads` or `.writes` after its name, those are asked to come back later.
    `counts_pushes`: the checker tells at PUSHES whether any is under way, where the registry itself cannot be asked.
    `access_log`: a file of its own, None for that of the whole nginx.
    """

    listen: tuple[str, ...]
    upstream: str
    users_file: str
    rules_file: str | None = None
    checker: str = "127.0.0.1:5001"
    server_name: str | None = None
    certificate: Certificate | None = None
    resolver: str | None = None
    external_auth: str | None = None
    external_auth_ca: str | None = None
    pause_file: str | None = None
    blobs_folder: str | None = None
    counts_pushes: bool = False
    access_log: str | None = None


@dataclass(frozen=True)
class NginxProcess:
    """An nginx of our own: the user of its workers, and where it writes.

    `user`: with a group behind it where they differ in name; None for an nginx that nobody started as root. `temp`: a
    folder for temporary files, None where the one that nginx was built with is right.
    """

    user: str | None
    pid_file: str
    error_log: str
    access_log: str
    temp: str | None = None


@dataclass(frozen=True)
class Container:
    """One container: everything the engine has to be told. `mounts` and `files` are keyed by the path inside.

    `views`: more mounts, of which the container can only read.
    `choices`: what `up` was told, for the next one to go by (`server_choices`).
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
    choices: str = ""
    scratch: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    memory: int | None = None
    processes: int = 4096
    file_mode: int = 0o644
    views: dict[str, str] = field(default_factory=dict)

    @property
    def file_folders(self) -> tuple[str, ...]:
        """The folders that hold `files`, each once."""
        return tuple(sorted({path.rpartition("/")[0] for path in self.files}))

    @property
    def fingerprint(self) -> str:
        """Changes when anything of the definition does: so `up` knows whether a container is still right."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
