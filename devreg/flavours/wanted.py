"""What is asked of engines that have to be told a scheme, and what no engine should be told."""

from __future__ import annotations

from collections.abc import Callable

from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable

# Whether a registry speaks TLS; None where nobody answers.
SpeaksTls = Callable[[Address], "bool | None"]

_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


def unknown(address: Address) -> None:
    """The answer of those who cannot ask."""
    del address


def wants_tls(address: Address, speaks_tls: SpeaksTls) -> bool:
    """Whether the registry is to be reached over unverified TLS, else over plain HTTP: what the user wrote, else what
    it speaks, else plain HTTP."""
    if address.scheme is not None:
        return address.scheme == "https"
    return speaks_tls(address) is True


def refuse_hub(address: Address) -> None:
    """Raise ConfigUnusable for Docker's hub: an entry for it would take the hub away from the engine."""
    if str(address) in _HUB:
        raise ConfigUnusable(
            f"{address} is Docker's hub: engines never use it without TLS", hint="name a registry of your own"
        )
