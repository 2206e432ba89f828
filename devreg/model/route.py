"""Which way a push goes: through the engine, or directly from devreg to the registry. A pure choice.

Where the engine can do it, the faster way is taken, by an estimate. Only what the engine has to compress is slow there;
only that a graph driver copies the whole image to disk before it exports it is slow here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

# Measured on two cores, 760 MB in three layers, a registry on loopback (docker push 15.3 s in all, so 25 MB/s for each
# core, as zlib does at level 6; the export 4.3 s, most of it before its first byte).
_ENGINE_COMPRESSES = 25e6  # bytes a second, one core for each layer
_ENGINE_STARTS = 0.5  # seconds
_EXPORT = 180e6  # bytes a second, of the whole image
_DIRECT_COMPRESSES = 450e6  # bytes a second, on one core
_DIRECT_STARTS = 0.3  # seconds
_ENGINE_UPLOADS = 5  # layers at once: the default of dockerd's --max-concurrent-uploads


class Obstacle(Enum):
    """Why the engine cannot push an image. The value completes `direct: `, with the registry's address."""

    UNTRUSTED = "the engine does not trust {registry}"
    UNANSWERED = "the engine would send no password to {registry}, which asks for it at the first write only"


@dataclass(frozen=True)
class Situation:
    """What is known before a push of an image that is not there whole: that one needs no more than a name.

    `registry`: its address. `containers_store`: the engine keeps layers compressed (containerd's image store).
    `size`: bytes of the whole image, uncompressed. `layers`: how many it has. `missing`: those that are neither in the
    repository nor to be mounted there, each by its uncompressed bytes, None where unknown. `cores`: how many the
    engine has. `readable`: the layers can be read where the engine keeps them, so that nothing has to be exported.
    """

    registry: str
    size: int
    layers: int
    missing: tuple[int | None, ...]
    cores: int
    containers_store: bool = False
    readable: bool = False
    obstacle: Obstacle | None = None

    @property
    def missing_sizes(self) -> tuple[int, ...]:
        """Bytes of each missing layer; an unknown one is taken for as big as the average."""
        average = self.size // max(self.layers, 1)
        return tuple(average if size is None else size for size in self.missing)


@dataclass(frozen=True)
class Choice:
    """The way to take, and why: `{route}: {reason}` is a line for the user."""

    route: Literal["engine", "direct"]
    reason: str

    def __str__(self) -> str:
        return f"{self.route}: {self.reason}"


def choose(situation: Situation) -> Choice:
    """The way that works; where both do, the one that is expected to be faster."""
    if situation.obstacle is not None:
        return Choice("direct", situation.obstacle.value.format(registry=situation.registry))
    if not situation.missing:
        return Choice("engine", "only the image's configuration is missing")
    if situation.containers_store:
        return Choice("engine", f"{_missing(situation)}, and the engine has them compressed")
    if _engine_seconds(situation) <= _direct_seconds(situation):
        return Choice("engine", _missing(situation))
    return Choice("direct", f"{_size(situation)} to compress, which the engine does on {_cores(situation)}")


def _engine_seconds(situation: Situation) -> float:
    """By a graph driver: as long as the biggest layer takes on one core, or as all of them take on all cores."""
    sizes = situation.missing_sizes
    return _ENGINE_STARTS + max(max(sizes), sum(sizes) / _slots(situation)) / _ENGINE_COMPRESSES


def _direct_seconds(situation: Situation) -> float:
    """From where the engine keeps the layers, or by way of a graph driver's export."""
    export = 0.0 if situation.readable else situation.size / _EXPORT
    return _DIRECT_STARTS + export + sum(situation.missing_sizes) / _DIRECT_COMPRESSES


def _slots(situation: Situation) -> int:
    return min(max(situation.cores, 1), _ENGINE_UPLOADS)


def _cores(situation: Situation) -> str:
    """How many cores are busy if no layer is compressed by two."""
    sizes = situation.missing_sizes
    cores = min(_slots(situation), round(sum(sizes) / max(*sizes, 1)))
    return f"{cores} cores" if cores > 1 else "one core"


def _missing(situation: Situation) -> str:
    verb = "is" if len(situation.missing) == 1 else "are"
    return f"{len(situation.missing)} of {situation.layers} layers ({_size(situation)}) {verb} missing"


def _size(situation: Situation) -> str:
    """Of the missing layers."""
    size = sum(situation.missing_sizes)
    if size < 1e6:
        return "less than 1 MB"
    return f"{'about ' if None in situation.missing else ''}{size / 1e6:.0f} MB"
