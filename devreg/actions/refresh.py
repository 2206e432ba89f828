"""Fetch names anew into the cache that completion reads: `python -m devreg.actions.refresh WHAT [WHERE...]`.

It runs in the background, where nobody sees why it fails; the names of before then stay.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from devreg.host.names_cache import NamesCache
from devreg.model.address import Address
from devreg.model.errors import DevregError

_SECONDS = 20  # in all; a signal then ends it
_READING_SECONDS = 12
_ANSWER_SECONDS = 5.0
_NAMES = 10_000


def images() -> None:
    """The names of the local images. Raises EngineUnreachable."""
    from devreg.actions.reach import open_engine
    from devreg.engine.images import names

    found = names(open_engine())
    with NamesCache() as cache:
        cache.learn_images(_bounded(found))


def repositories(address: str) -> None:
    """The repositories of a registry. Raises what `open_registry` and `Registry.repositories` raise."""
    from devreg.actions.reach import open_registry

    registry = Address.parse(address)
    with open_registry(registry, timeout=_ANSWER_SECONDS) as opened:
        found = _bounded(opened.repositories())
    with NamesCache() as cache:
        cache.learn_repositories(registry, found)


def tags(address: str, repository: str) -> None:
    """The tags of a repository; digests that were known stay. Raises what `Registry.tags` raises."""
    from devreg.actions.reach import open_registry

    registry = Address.parse(address)
    with open_registry(registry, timeout=_ANSWER_SECONDS) as opened:
        found = _bounded(opened.tags(repository))
    with NamesCache() as cache:
        known = cache.tags(registry, repository)
        cache.learn_tags(registry, repository, {name: known.get(name) for name in found})


def _bounded(names: Iterable[str]) -> tuple[str, ...]:
    """The first names of a list that may have no end."""

    def in_time() -> Iterator[str]:
        end = time.monotonic() + _READING_SECONDS
        for name in names:
            yield name
            if time.monotonic() > end:
                return

    return tuple(islice(in_time(), _NAMES))


_WORK: dict[str, Callable[..., None]] = {"images": images, "repositories": repositories, "tags": tags}


def main(words: Sequence[str]) -> None:
    """Do what the words say, for a bounded time."""
    signal.alarm(_SECONDS)
    what, *where = words
    with suppress(DevregError):
        _WORK[what](*where)


if __name__ == "__main__":
    main(sys.argv[1:])
