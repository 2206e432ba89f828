"""Platforms as registries name them: `OS/ARCHITECTURE[/VARIANT]`, in Go's words."""

from __future__ import annotations

from collections.abc import Sequence

from devreg.model.errors import NotFound

# What `uname -m` and others call them (containerd's platforms package, database.go).
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armv8l": "arm/v7",  # a 64-bit processor that runs a 32-bit system
    "armv7l": "arm/v7",
    "armv6l": "arm/v6",
    "armhf": "arm/v7",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "loongarch64": "loong64",
}
# The variant that is meant where none is given (the same package, normalizeArch).
_VARIANTS = {"arm64": "v8", "arm": "v7", "amd64": "v1"}


def of_machine(machine: str) -> str:
    """The platform of containers on a machine that calls itself so: Linux, since others run them in a Linux VM."""
    return normal(f"linux/{machine}")


def normal(platform: str) -> str:
    """The same in Go's words, in lower case: `linux/aarch64` is `linux/arm64`."""
    system, slash, rest = platform.lower().partition("/")
    architecture, variant_slash, variant = rest.partition("/")
    return f"{system}{slash}{_ARCHITECTURES.get(architecture, architecture)}{variant_slash}{variant}"


def best(wanted: str, platforms: Sequence[str | None]) -> int | None:
    """Where in `platforms` the one is that `wanted` means; None when it is not there.

    The same, else the same but for a variant that goes without saying, else any variant where none is wanted.
    """
    far = ((_distance(normal(wanted), normal(each)), at) for at, each in enumerate(platforms) if each)
    found = [(distance, at) for distance, at in far if distance is not None]
    return min(found)[1] if found else None


def chosen(wanted: str, there: Sequence[tuple[str | None, str]]) -> str:
    """The digest of the image for a platform. `there`: platforms and digests. Raises NotFound that names those."""
    at = best(wanted, [platform for platform, _ in there])
    if at is not None:
        return there[at][1]
    names = ", ".join(dict.fromkeys(platform for platform, _ in there if platform)) or "no platform"
    raise NotFound(f"there is no image for {wanted}", hint=f"there is one for {names}")


def _distance(wanted: str, there: str) -> int | None:
    """How far `there` is from what is wanted; None where it is something else."""
    if there == wanted:
        return 0
    if _full(there) == _full(wanted):
        return 1
    return 2 if there.startswith(f"{wanted}/") else None


def _full(platform: str) -> str:
    architecture = platform.partition("/")[2]
    return f"{platform}/{_VARIANTS[architecture]}" if architecture in _VARIANTS else platform
