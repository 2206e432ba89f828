"""The names that complete a word, by what help calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from devreg.actions import complete
from devreg.cli.offers import FILES, Offer
from devreg.model.address import Address
from devreg.model.errors import DevregError
from devreg.settings import SETTINGS, Settings


def names(called: str, word: str, registry: str | None = None) -> list[Offer]:
    """What begins with `word` and may stand where help says `called`. `registry`: the value of --registry."""
    find = BY_CALLING.get(called)
    return find(word, registry) if find else []


def _default(registry: str | None) -> Address:
    """The registry that names without one belong to; the built-in one where the settings cannot be read."""
    try:
        return Address.parse(Settings().get("registry", registry).value)
    except DevregError:
        return Address.parse(SETTINGS["registry"].default)


def _registries(word: str, registry: str | None) -> list[Offer]:
    try:
        trusted = Settings().get("trusted").value
    except DevregError:
        trusted = ""
    return _plain(complete.registries(word, [str(_default(registry)), *map(str.strip, trusted.split(","))]))


def _local_images(word: str, _registry: str | None) -> list[Offer]:
    return _plain(complete.local_images(word))


def _local_images_or_archives(word: str, registry: str | None) -> list[Offer]:
    return [*_local_images(word, registry), (FILES, "")]


def _repositories(word: str, registry: str | None) -> list[Offer]:
    return _plain(complete.repositories(word, _default(registry)))


def _references(word: str, registry: str | None) -> list[Offer]:
    return _plain(complete.references(word, _default(registry)))


def _keys(word: str, _registry: str | None) -> list[Offer]:
    return [(each.key, each.help) for each in SETTINGS.values() if each.key.startswith(word)]


def _files(_word: str, _registry: str | None) -> list[Offer]:
    return [(FILES, "")]


def _plain(found: list[str]) -> list[Offer]:
    return [(name, "") for name in found]


BY_CALLING: Mapping[str, Callable[[str, str | None], list[Offer]]] = {
    **dict.fromkeys(("ADDRESS", "ADDRESS...", "REGISTRY[/PREFIX]"), _registries),
    **dict.fromkeys(("REPO", "REPO..."), _repositories),
    **dict.fromkeys(("REF", "REF...", "REPO[:TAG]", "NAME...", "SRC", "DST"), _references),
    "IMAGE": _local_images,
    "IMAGE...": _local_images_or_archives,
    **dict.fromkeys(("FILE", "FILE|fetch", "DIR"), _files),
    "KEY": _keys,
}
