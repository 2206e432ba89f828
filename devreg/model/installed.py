"""What `registry install` and `registry uninstall` return. The names of fields are keys of the JSON contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from devreg.model.server import Listen
from devreg.model.server_tls import Certificate


@dataclass(frozen=True)
class InstalledSite:
    """Where an installed registry is. `host`: what it is called where it is asked; `address`: what names of images
    begin with; `tls`: off, given or self-signed, with the `certificate` that nginx shows; `image`: the registry's."""

    listen: Listen
    host: str
    address: str
    tls: str
    certificate: Certificate | None
    image: str

    def plain(self) -> dict[str, str | None]:
        """As JSON has it. `of_plain` reads it."""
        pair = self.certificate
        return {
            **vars(self),
            "listen": str(self.listen),
            "certificate": f"{pair.chain},{pair.key}" if pair else None,
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, str | None]) -> InstalledSite:
        """What `plain` gave. Raises KeyError, TypeError, AttributeError and ValueError for anything else."""
        values = {key: str(plain[key]) for key in ("host", "address", "tls", "image")}
        ip, _, port = str(plain["listen"]).rpartition(":")
        pair = None if plain["certificate"] is None else Certificate(*plain["certificate"].split(","))
        return cls(listen=Listen(ip.strip("[]"), int(port)), certificate=pair, **values)


@dataclass(frozen=True)
class Installed:
    """The registry as a service of systemd behind the machine's nginx. `address`: what names of images begin with.

    `files`: what was put in place. `password` is set only when it was generated now, to be shown once. `authority`: the
    file of the server's own CA, which clients are to be given; `certificate_ends` (RFC 3339) of what that has issued.
    """

    address: str
    unit: str
    files: tuple[str, ...]
    users: tuple[str, ...]
    changed: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    authority: str | None = None
    certificate_ends: str | None = None


@dataclass(frozen=True)
class Uninstalled:
    """What was taken away. `removed`, `restored` to what was there before, `kept`: paths of files; those that were kept
    somebody has edited, or they hold the users."""

    removed: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    volume: bool = False
    changed: bool = False
