"""The names that complete a word, by what help calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from devreg.actions import complete
from devreg.cli.offers import FILES, Offer
from devreg.model.address import Address
from devreg.model.errors import DevregError
from devreg.settings import SETTINGS, Settings

_Portions = Iterator[list[Offer]]


def names(called: str, word: str, registry: str | None = None) -> _Portions:
    """What begins with `word` and may stand where help says `called`. `registry`: the value of --registry."""
    find = BY_CALLING.get(called)
    return find(word, registry) if find else iter(())


def _default(registry: str | None) -> Address:
    """The registry that names without one belong to; the built-in one where the settings cannot be read."""
    try:
        return Address.parse(Settings().get("registry", registry).value)
    except DevregError:
        return Address.parse(SETTINGS["registry"].default)


def _registries(word: str, registry: str | None) -> _Portions:
    try:
        trusted = Settings().get("trusted").value
    except DevregError:
        trusted = ""
    return _plain(complete.registries(word, [str(_default(registry)), *map(str.strip, trusted.split(","))]))


def _local_images(word: str, _registry: str | None) -> _Portions:
    return _plain(complete.local_images(word))


def _local_images_or_archives(word: str, registry: str | None) -> _Portions:
    yield from _local_images(word, registry)
    yield [(FILES, "")]


def _repositories(word: str, registry: str | None) -> _Portions:
    return _plain(complete.repositories(word, _default(registry)))


def _references(word: str, registry: str | None) -> _Portions:
    return _plain(complete.references(word, _default(registry)))


def _keys(word: str, _registry: str | None) -> _Portions:
    yield [(each.key, each.help) for each in SETTINGS.values() if each.key.startswith(word)]


def _files(_word: str, _registry: str | None) -> _Portions:
    yield [(FILES, "")]


def _plain(found: Iterable[list[str]]) -> _Portions:
    return ([(name, "") for name in some] for some in found)


BY_CALLING: Mapping[str, Callable[[str, str | None], _Portions]] = {
    **dict.fromkeys(("ADDRESS", "REGISTRY[/PREFIX]"), _registries),
    "REPO": _repositories,
    **dict.fromkeys(("REF", "REPO[:TAG]", "SRC", "DST"), _references),
    "IMAGE": _local_images,
    "IMAGE|FILE": _local_images_or_archives,
    **dict.fromkeys(("DIR", "FILE", "FILE|fetch"), _files),
    "KEY": _keys,
}
