"""The names that may stand where a word is being typed: from the cache at once, and fetched anew in the background.

They come in portions, those first that are known soonest: on a busy machine there may be no time for the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from devreg.host import detached
from devreg.host.names_cache import NamesCache
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable, UsageError
from devreg.model.reference import is_registry, split_registry

_REFRESH = "devreg.actions.refresh"  # not imported here: it runs in a process of its own
_EVERY_SECONDS = 30.0
# Shells put names on command lines as they are. What is a name is inert there; the rest is a registry's mischief.
_NAME = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_./:\[\]-]*")


def local_images(word: str) -> Iterator[list[str]]:
    """The local images whose names begin with `word`."""
    with NamesCache() as cache:
        known = cache.images(word)
    yield _offered(known)
    _fetch("images")


def repositories(word: str, default: Address) -> Iterator[list[str]]:
    """The repositories that begin with `word`: of the registry that it names, else of the default one.

    And the registries that it may be about to name, each with a slash after it.
    """
    address, begun, rest = _split(word, default)
    with NamesCache() as cache:
        known = cache.repositories(address, rest)
    yield _offered(f"{begun}{each}" for each in known)
    _fetch("repositories", str(address))
    yield _offered(_prefixes(word, default))


def references(word: str, default: Address) -> Iterator[list[str]]:
    """The repositories that begin with `word`, as above, and `repository:tag` where there is but one of them."""
    address, begun, rest = _split(word, default)
    repository, colon, tag = rest.partition(":")
    with NamesCache() as cache:
        matching = () if colon else cache.repositories(address, rest)
        meant = repository if colon else rest if rest in matching else matching[0] if len(matching) == 1 else None
        tagged = [f"{meant}:{each}" for each in cache.tags(address, meant, tag)] if meant else []
    yield _offered(f"{begun}{each}" for each in (*matching, *tagged))
    if meant:
        _fetch("tags", str(address), meant)
    if not colon:
        _fetch("repositories", str(address))
    yield _offered(_prefixes(word, default))


def registries(word: str, configured: Iterable[str]) -> Iterator[list[str]]:
    """The addresses that begin with `word`: those of the settings, of logins, and those that names are known of."""
    yield _offered(each for each in _known_registries(configured) if each.startswith(word))


def _prefixes(word: str, default: Address) -> list[str]:
    """The registries that a name may begin with. Those that need no naming only where one has begun to be."""
    if "/" in word:
        return []
    known = _known_registries([str(default)])
    wanted = (each for each in known if each.startswith(word) and (word or each != str(default)))
    return [f"{each}/" for each in wanted if is_registry(each)]


def _known_registries(configured: Iterable[str]) -> list[str]:
    # Imported here, since few words may be a registry.
    from devreg.host import credentials

    names = [*configured]
    with suppress(ConfigUnusable):
        names += credentials.registries()
    with NamesCache() as cache:
        return [*names, *cache.registries()]


def _split(word: str, default: Address) -> tuple[Address, str, str]:
    """The registry that a word is about, how the word names it, and what comes after that."""
    try:
        named, rest = split_registry(word)
    except UsageError:
        return default, "", word
    return named or default, word.removesuffix(rest) if named else "", rest


def _offered(names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if _NAME.fullmatch(name)})


def _fetch(*words: str) -> None:
    detached.begin(_REFRESH, words, every=_EVERY_SECONDS)
