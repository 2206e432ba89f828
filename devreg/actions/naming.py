"""What a local image is called in a registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from devreg.model.address import Address
from devreg.model.errors import UsageError
from devreg.model.reference import Destination, Reference, checked_tag

if TYPE_CHECKING:
    from devreg.engine.client import Engine


@dataclass(frozen=True)
class Names:
    """How the user wants images called: `to` a registry whatever their names say, else `default`; `name` instead of an
    image's own; `tags` instead of its own."""

    default: Destination
    to: Destination | None = None
    name: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A repository of a registry, and the tags that an image gets there."""

    registry: Address
    repository: str
    tags: tuple[str, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """One for each tag."""
        return tuple(Reference(self.repository, self.registry, tag) for tag in self.tags)


def target(image: str, default: Destination, to: Destination | None = None) -> Reference:
    """What `image` is called in the registry: `to` decides, else the registry in its name, else `default`.

    Raises UsageError for what is no reference.
    """
    name = Reference.parse(image)
    if to is not None:
        return name.at(to.registry, to.prefix)
    return name if name.registry else name.at(default.registry, default.prefix)


def targets(own: Sequence[str], names: Names) -> tuple[Target, ...]:
    """Where an image goes that is called `own`, maybe several names. Raises UsageError for none, and for a digest."""
    called = own if names.name is None else (names.name,)
    if not called:
        raise UsageError("the archive does not say what its image is called", hint="name it: --as NAME[:TAG]")
    found: dict[tuple[Address, str], list[str]] = {}
    for each in called:
        reference = target(each, names.default, names.to)
        if reference.digest:
            raise UsageError(f"{reference} names a digest; the registry computes it", hint="push a tag: NAME:TAG")
        tags = names.tags or (reference.tag or "latest",)
        found.setdefault((reference.home, reference.repository), []).extend(map(checked_tag, tags))
    return tuple(Target(*place, tuple(dict.fromkeys(tags))) for place, tags in found.items())


def archived_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names in an archive, without the hub that containerd puts before those that have no registry.

    A name that is a tag only, as OCI layouts may have it, is none.
    """
    return tuple(_without_hub(name) for name in names if "/" in name or ":" in name)


def tag(engine: Engine, image: str, name: Reference) -> str:
    """Give a local image the name it has in the registry. Raises NotFound when there is no such image."""
    from devreg.engine import images  # its SDK takes long to import, and archives are pushed without it

    images.tag(engine, image, name)
    return str(name)


def _without_hub(text: str) -> str:
    name = Reference.parse(text)
    if name.registry is None or not name.registry.is_hub:
        return text
    return str(replace(name, registry=None, repository=name.repository.removeprefix("library/")))
