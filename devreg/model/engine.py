"""What devreg wants to know about a container engine."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from devreg.model.address import Address


@dataclass(frozen=True)
class EngineInfo:
    """The engine's own words (`GET /info`, `GET /version`).

    `insecure`: the names in its live list of insecure registries; `insecure_cidrs`: the networks in it. `name`: its
    machine's host name; `data_root`: the folder for all that it holds. `containers_store`: it keeps images in
    containerd, as blobs, rather than as the unpacked layers of a graph driver.
    """

    version: str
    operating_system: str
    os_type: str
    rootless: bool
    podman: bool
    desktop: bool
    insecure: tuple[str, ...]
    insecure_cidrs: tuple[str, ...]
    live_restore: bool
    mirrors: tuple[str, ...]
    storage_driver: str
    name: str = ""
    data_root: str = ""
    containers_store: bool = False
    cores: int = 1

    def trusts(self, address: Address) -> bool:
        """Whether the engine would use plain HTTP or unverified TLS for `address`.

        Names compare byte for byte with the port (measured: `h` does not match `h:5000`); networks match IP literals.
        """
        return str(address) in self.insecure or self.trusted_network(address) is not None

    def trusted_network(self, address: Address) -> str | None:
        """The trusted network that the address is in, None when there is none. Names are for the engine to resolve."""
        try:
            ip = ipaddress.ip_address("127.0.0.1" if address.host == "localhost" else address.host)
        except ValueError:
            return None
        return next((cidr for cidr in self.insecure_cidrs if ip in ipaddress.ip_network(cidr, strict=False)), None)


@dataclass(frozen=True)
class LocalImage:
    """An image that the engine has. `id`: the digest of its config, or, in containerd's store, of its manifest.
    `diff_ids`: the digests of its layers' tars, from the lowest on; `size` of all of them unpacked, in bytes;
    `platform` as `linux/amd64`."""

    id: str
    diff_ids: tuple[str, ...]
    size: int
    platform: str = ""


@dataclass(frozen=True)
class RunningContainer:
    """A container that a restart of the engine would stop."""

    name: str
    restart_policy: str

    @property
    def comes_back(self) -> bool:
        """Whether the engine starts it again by itself."""
        return self.restart_policy in ("always", "unless-stopped", "on-failure")
