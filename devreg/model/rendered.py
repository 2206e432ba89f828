"""Files of a registry server for those who run it themselves, and the stamp by which devreg knows its own."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum

from devreg.model.errors import UsageError
from devreg.model.server import S3, Listen, Nfs, ServerImages
from devreg.model.server_tls import Certificate

_STAMP = re.compile(r"# devreg sha256:([0-9a-f]{64}) .*\n")


class Target(str, Enum):
    """What is to run the server."""

    SYSTEMD = "systemd"
    COMPOSE = "compose"
    SWARM = "swarm"
    NGINX = "nginx"


@dataclass(frozen=True)
class Site:
    """What somebody wants of the server. `domain`: None for every name that no other site of the nginx has.

    `listen`: None for the port of HTTP, or of HTTPS, on every address; `ipv6`: whether those of IPv6 are among them.
    `storage`: None for a volume of one machine, with which there can be one registry only. `memory`: the bytes that
    each container may use, None for all there are.
    """

    images: ServerImages
    listen: Listen | None = None
    domain: str | None = None
    certificate: Certificate | None = None
    storage: S3 | Nfs | None = None
    replicas: int = 1
    ipv6: bool = True
    memory: int | None = None

    def check(self, target: Target) -> None:
        """Raise UsageError for a wish that the target cannot fulfil."""
        behind_nginx_of_the_machine = target in (Target.SYSTEMD, Target.NGINX)
        if not behind_nginx_of_the_machine and (self.domain or self.certificate):
            raise UsageError(
                f"--domain and --tls do not go with --target {target.value}, which answers to every name",
                hint="put a proxy that speaks TLS in front of it",
            )
        if target is not Target.SWARM and (self.storage or self.replicas > 1):
            raise UsageError(
                f"--target {target.value} has one registry, with a volume",
                hint="--storage and --replicas are for a swarm",
            )
        if self.replicas > 1 and self.storage is None:
            raise UsageError(
                "several registries need storage that they share", hint="--storage s3 or nfs, or leave out --replicas"
            )


@dataclass(frozen=True)
class File:
    """A file's name and text. `place`: where it belongs on the machine; None where it stays beside the others."""

    name: str
    text: str
    place: str | None = None

    @property
    def stamped(self) -> str:
        """The text below a line with its hash."""
        return f"# devreg sha256:{_hash(self.text)} of what follows; once that is edited, devreg keeps off\n{self.text}"


def untouched(text: str) -> bool:
    """Whether a file is as devreg wrote it."""
    found = _STAMP.match(text)
    return found is not None and found[1] == _hash(text[found.end() :])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
