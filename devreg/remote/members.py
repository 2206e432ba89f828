"""The images that an index names, each read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from devreg.model.errors import DevregError, NotFound
from devreg.model.imageconfig import platform
from devreg.model.manifest import Descriptor, Manifest
from devreg.registry.at_once import in_order
from devreg.remote.contents import Contents, parsed

MAX_READ = 200
"""Manifests that one index leads to and that are read. Real ones have a few dozen; of more only the names are told."""


@dataclass(frozen=True)
class Member:
    """What an index names. `platform`: what the index says, else what the image's config does.

    `manifest`: None where it was not read, and `error` says why if it could not be.
    """

    descriptor: Descriptor
    platform: str | None
    manifest: Manifest | None = None
    error: str | None = None


def members(contents: Contents, repository: str, index: Manifest, *, now: bool = False) -> tuple[Member, ...]:
    """What an index names, but for attestations. In place of an index within it stands what that names, at the end.

    What several of them name is there once.

    An index may name images that were never copied along with it: what cannot be read has an error, and is not raised.
    `now`: ask for each whether it is there, which the cache, that may know it from another repository, does not tell.
    Who leaves that out has asked before.
    """
    found: list[Member] = []
    level, room = index.children, MAX_READ
    seen = set(level)
    while level:
        read = list(in_order(lambda each: _read(contents, repository, each, now), level[:room]))
        found += [each for each in read if each.manifest is None or each.manifest.kind != "index"]
        found += [Member(each, each.platform) for each in level[room:]]
        room -= len(read)
        named = dict.fromkeys(child for each in read if each.manifest is not None for child in each.manifest.children)
        level = tuple(child for child in named if child not in seen)
        seen.update(level)
    return tuple(found)


def _read(contents: Contents, repository: str, descriptor: Descriptor, now: bool) -> Member:
    named, read = descriptor.platform, contents.there if now else contents.body
    try:
        manifest = parsed(read(repository, descriptor.digest))
    except NotFound:
        return Member(descriptor, named, error="not in the registry")
    except DevregError as error:
        return Member(descriptor, named, error=error.message)
    if named is None and manifest.kind == "image":
        with suppress(DevregError):
            named = platform(contents.config(repository, manifest))
    return Member(descriptor, named, manifest)
