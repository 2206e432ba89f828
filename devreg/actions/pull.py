"""`devreg pull`, by the engine: images by name, all tags that match a glob, or the newest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from devreg.actions import catalog
from devreg.actions.naming import target
from devreg.actions.reach import open_registry
from devreg.actions.versions import newest, version_key
from devreg.actions.would_pull import offered
from devreg.engine import images
from devreg.engine.client import Engine
from devreg.engine.digests import held
from devreg.host import credentials as stored
from devreg.model.address import HUB
from devreg.model.errors import DevregError, NotFound, RegistryUnreachable, UsageError
from devreg.model.events import Listener, Step, Warn
from devreg.model.reference import Destination, Reference, is_tag, split_glob
from devreg.model.results import Pulled
from devreg.model.selection import natural, select


@dataclass(frozen=True)
class Wanted:
    """What a word asks for: an image; or, with `globs` or `newest`, the tags of a repository that match all `globs`,
    or only the newest of those."""

    name: Reference
    globs: tuple[str, ...] = ()
    newest: bool = False


@dataclass(frozen=True)
class Pulls:
    """How the pulls of one command ended. `failed`: what was not pulled, and why."""

    pulled: tuple[Pulled, ...]
    failed: tuple[tuple[str, DevregError], ...]


def wanted(word: str, default: Destination, *, newest: bool, glob: str | None) -> Wanted:
    """What `word` asks for, with `--newest` and `--filter`. Raises UsageError for what makes no sense together."""
    text, in_tag = split_glob(word)
    name = target(text, default)
    if newest and (name.tag or name.digest):
        raise UsageError(f"{name} is one image: none of it is the newest", hint=f"leave out the tag: {name.name}")
    if glob is not None and not newest:
        raise UsageError("--filter is for --newest", hint=f"write the glob as the tag: '{name.name}:{glob}'")
    return Wanted(name, tuple(each for each in (in_tag, glob) if each is not None), newest)


def pull_all(engine: Engine, wanted: Sequence[Wanted], *, timeout: float, listener: Listener) -> Pulls:
    """Pull all that is asked for, and compare each with the registry. What fails keeps nothing else from being pulled.

    `timeout`: seconds to wait for an answer of the registry.
    """
    pulled: dict[Reference, Pulled] = {}
    failed: list[tuple[str, DevregError]] = []
    for each in wanted:
        try:
            names = _meant(each, timeout, listener)
        except DevregError as error:
            failed.append((str(each.name), error))
            continue
        for name in names:
            try:
                pulled[name] = pulled.get(name) or _compared(engine, name, timeout, listener)
            except DevregError as error:
                failed.append((str(name), error))
    return Pulls(tuple(pulled.values()), tuple(failed))


def pull(engine: Engine, name: Reference, listener: Listener) -> Pulled:
    """Pull an image. Raises NotFound, NotAuthorized or RegistryUnreachable."""
    listener(Step(f"pulling {name}"))
    transfer = images.pull(engine, name, stored.lookup(name.registry or HUB), listener)
    return Pulled(str(name), transfer.digest or name.digest or "", changed=transfer.fresh)


def _compared(engine: Engine, name: Reference, timeout: float, listener: Listener) -> Pulled:
    """Pull an image, and see that it is what the registry has. Raises RegistryUnreachable where it is not."""
    done = pull(engine, name, listener)
    try:
        digests = (name.digest,) if name.digest else offered(name, timeout)
    except DevregError as error:  # an engine has ways that devreg has not: mirrors, a proxy, credentials of its own
        listener(Warn(f"{name} was not compared with the registry's: {error.message}"))
        return done
    if set(digests).isdisjoint(held(engine, name) or (done.digest,)):
        raise RegistryUnreachable(
            f"{name} is {done.digest} as pulled, and {digests[0]} in the registry",
            hint="pull again: the tag may have moved meanwhile; if it stays so, look at the engine's mirror or proxy",
        )
    return done


def _meant(wanted: Wanted, timeout: float, listener: Listener) -> list[Reference]:
    """The images that are asked for. Raises NotFound where no tag matches."""
    name = wanted.name
    if not wanted.globs and not wanted.newest:
        return [name]
    with open_registry(name.registry or HUB, timeout=timeout) as registry:
        tags = [tag for tag in registry.tags(name.repository) if is_tag(tag) and _matches(tag, wanted.globs)]
    if not tags:
        what = f" that matches {' and '.join(wanted.globs)}" if wanted.globs else ""
        raise NotFound(f"{name.name} has no tag{what}", hint=f"what there is, tells devreg tags {name.name}")
    chosen = [newest(tags) or _made_last(name, tags, timeout, listener)] if wanted.newest else sorted(tags, key=natural)
    return [Reference(name.repository, name.registry, tag) for tag in chosen]


def _matches(tag: str, globs: Sequence[str]) -> bool:
    return all(fnmatchcase(tag, glob) for glob in globs)


def _made_last(name: Reference, tags: Sequence[str], timeout: float, listener: Listener) -> str:
    """The one of `tags` whose image was made last. Raises NotFound where none tells when."""
    rows = catalog.tags([name.name], default=name.registry or HUB, timeout=timeout, pattern=None, listen=listener)
    dated = [row for row in rows if row.name in tags and row.created]
    if not dated:
        raise NotFound(
            f"no tag of {name.name} is a version, or tells when its image was made",
            hint=f"name one of devreg tags {name.name}",
        )
    return select(dated, limit=1, version_key=version_key)[0].name
