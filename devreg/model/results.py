"""What actions return: frozen, plain, ready for a table or for JSON.

Sizes in bytes; times as RFC 3339 UTC text; digests with their algorithm. `devreg/output/document.py` turns field names
into keys as they are, so a name here is part of the JSON contract.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Layers:
    """How the layers of a push got there."""

    sent: int = 0
    mounted: int = 0
    existing: int = 0

    def all_existing(self) -> Layers:
        """The same layers, for the next name of the same image."""
        return Layers(existing=self.sent + self.mounted + self.existing)


@dataclass(frozen=True)
class Pushed:
    """One image that is in the registry now. `reference` is `name:tag`, `digest` the manifest's."""

    image: str
    reference: str
    digest: str
    route: Literal["engine", "direct"]
    bytes_sent: int
    layers: Layers = field(default_factory=Layers)


@dataclass(frozen=True)
class Difference:
    """A local image against the registry's. `local`: the image's id; `remote`: the digest up there, None for none.

    `push_bytes`: unpacked bytes of the layers that a push would have to send, None where unknown; `pull_bytes`: bytes
    as stored of those that a pull would have to fetch.
    """

    image: str
    reference: str
    state: Literal["same", "differs", "missing"]
    local: str
    remote: str | None
    push_layers: int
    push_bytes: int | None
    pull_layers: int
    pull_bytes: int


@dataclass(frozen=True)
class Pulled:
    """One image that is in the engine now. `changed` is False when it was there before."""

    reference: str
    digest: str
    changed: bool


@dataclass(frozen=True)
class Probe:
    """How far the engine itself got to a registry: `answered`, `stranger` or `unreachable`, and its own words."""

    address: str
    reach: str
    words: str = ""


@dataclass(frozen=True)
class Trusted:
    """What `trust` and `untrust` did, or would do where `dry_run` is set.

    `address`: the first of `addresses`. `verified`: the engine shows the effect, and got through to each registry that
    answers; `probes` tells which do.
    `stopped`: containers that a restart stopped. `diff`: the change of the file, where it was asked for.
    """

    address: str
    flavour: str
    file: str
    applied: Literal["reload", "restart", "none"]
    verified: bool
    changed: bool
    backup: str | None = None
    stopped: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()
    diff: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class StepResult:
    """One step of a longer job such as quickstart."""

    name: str
    state: Literal["changed", "unchanged", "failed"]
    detail: str


@dataclass(frozen=True)
class Upload:
    """An upload that has no end yet: the repository, the bytes that came, and how many seconds ago the last did."""

    repository: str
    id: str
    size: int
    idle: int


@dataclass(frozen=True)
class ServerStatus:
    """The registry server as it is now. `address` is None when it was never started.

    `tls`: off, self-signed or given, with the time at which the certificate ends. `external_auth`: the URL that checks
    passwords, None where the registry's own `users` count. `runtime`: `containers`, whose data is in `volume`, or
    `processes`, whose data is in `folder`.

    `free`, `used`: bytes of the disk that the data is on, and of the data. `repositories`: those with manifests.
    `uploads`: those without an end. None for what is not known, as when the server does not run or is too large to be
    counted in a few seconds.
    """

    running: bool
    healthy: bool
    address: str | None
    images: dict[str, str]
    users: tuple[str, ...]
    volume: str | None
    tls: str = "off"
    certificate_ends: str | None = None
    external_auth: str | None = None
    runtime: str = "containers"
    folder: str | None = None
    free: int | None = None
    used: int | None = None
    repositories: int | None = None
    uploads: tuple[Upload, ...] | None = None


@dataclass(frozen=True)
class Collected:
    """What `registry gc` freed, or would with `dry_run`: blobs without a manifest, uploads that nobody goes on with.

    `freed`: bytes of both. `kept`, `kept_bytes`: blobs that no manifest needs yet, which a push may be about to.
    `paused`: seconds for which no upload was begun.
    """

    dry_run: bool
    blobs: int
    uploads: int
    freed: int
    kept: int
    kept_bytes: int
    paused: float


@dataclass(frozen=True)
class BackedUp:
    """What is in a backup, or was restored from one. `size`: bytes of its blobs. `missing`: blobs that manifests name
    and that the registry itself had not."""

    repositories: int
    tags: int
    manifests: int
    blobs: int
    size: int
    users: tuple[str, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Renewed:
    """A container of the server before and after an upgrade: the names of its image, and the ids they stood for."""

    role: str
    image_before: str
    id_before: str
    image: str
    id: str


@dataclass(frozen=True)
class Upgraded:
    """What `registry upgrade` did. `paused`: seconds in which no upload was begun."""

    containers: tuple[Renewed, ...]
    changed: bool
    paused: float


@dataclass(frozen=True)
class MirrorState:
    """A mirror of a hub. `line` is what the daemon.json of its engines has to say, None where it never was started."""

    running: bool
    healthy: bool
    address: str | None
    hub: str | None
    username: str | None
    volume: str | None
    line: str | None


@dataclass(frozen=True)
class ServerUp:
    """What `registry up` did. `password` is set only when it was generated now, to be shown once.

    `authority`: the file of the server's own CA, which clients are to be given.
    """

    status: ServerStatus
    changed: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    authority: str | None = None


@dataclass(frozen=True)
class LoggedIn:
    """A login that the registry has accepted. `stored` says where the credentials are now."""

    address: str
    username: str
    stored: str


@dataclass(frozen=True)
class EngineState:
    """What `status` tells about the engine; `error` when none answers."""

    host: str | None = None
    version: str | None = None
    storage_driver: str | None = None
    insecure: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class RegistryState:
    """What `status` tells about the default registry. `username` is whose credentials are stored."""

    address: str
    source: str
    reachable: bool
    url: str | None = None
    username: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Drift:
    """An address that is not as devreg left it, or not as the file says. `kind` is a predicate, such as
    `was added by devreg and is gone from the file`."""

    address: str
    kind: str


@dataclass(frozen=True)
class Overview:
    """`devreg status`."""

    engine: EngineState
    registry: RegistryState
    drift: tuple[Drift, ...] = ()


@dataclass(frozen=True)
class CaTrusted:
    """What `trust --ca` did. `fingerprints`: SHA-256 of the authorities, in hexadecimal. `verified`: a handshake and
    the engine itself got through with them. `removed_insecure`: an insecure entry was in the way and is gone."""

    address: str
    flavour: str
    file: str
    fingerprints: tuple[str, ...]
    verified: bool
    changed: bool
    removed_insecure: bool


@dataclass(frozen=True)
class Kept:
    """One file of the cache: what is in it, how many entries, its size in bytes."""

    what: str
    file: str
    entries: int
    size: int


@dataclass(frozen=True)
class CacheInfo:
    """What devreg keeps of registries. `folder`: None where the user has no home."""

    folder: str | None
    kept: tuple[Kept, ...]


@dataclass(frozen=True)
class CacheCleared:
    """What was forgotten: entries, and the bytes that are free now."""

    entries: int
    freed: int


@dataclass(frozen=True)
class Copied:
    """A reference that stands for what `source` does now. `changed`: it did not before.

    `referrers`: how many signatures, attestations and SBOMs were copied along.
    """

    source: str
    reference: str
    digest: str
    changed: bool
    bytes_sent: int = 0
    layers: Layers = field(default_factory=Layers)
    referrers: int = 0


@dataclass(frozen=True)
class Completion:
    """Completion in a shell. `file`: the script; `startup`: the start-up file that names it, None where none has to.

    `now`: the command by which a running shell reads it, None when it was taken away.
    """

    shell: str
    file: str
    startup: str | None
    now: str | None
    changed: bool
