"""`devreg push`: images of the engine, and images in archives, by the engine's push or directly.

First all blobs of all images go up, then the manifests: a name never stands for something that is not all there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from io import BufferedReader
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from devreg.actions.naming import Names, Target
from devreg.actions.push_sources import PIPE, Source, missing, refuse_same_name, sources
from devreg.actions.reach import open_engine, open_registry
from devreg.direct import manifests, piped
from devreg.direct.known import learn_pushed
from devreg.direct.manifests import Raised
from devreg.direct.placer import Placer
from devreg.direct.there import refuse_clobber
from devreg.host.push_cache import PushCache
from devreg.model.address import Address
from devreg.model.engine import LocalImage
from devreg.model.errors import DevregError, NotFound, UsageError
from devreg.model.events import Listener, Step, Warn
from devreg.model.manifest import parse_manifest
from devreg.model.reference import Reference
from devreg.model.results import Layers, Pushed
from devreg.registry.client import Registry

# An archive goes up without the engine, whose SDK takes as long to import as a small push takes: see `_raise_local`.
if TYPE_CHECKING:
    from devreg.actions.push_route import Via
    from devreg.engine.client import Engine

T = TypeVar("T")


@dataclass(frozen=True)
class Pushes:
    """What came of pushing several images: those that are up, and why the others are not, by the user's word for an
    image or by the name that it did not get."""

    pushed: tuple[Pushed, ...]
    failed: tuple[tuple[str, DevregError], ...]


@dataclass(frozen=True)
class Wanted:
    """What a user asks for. `images`: names of local images, files and folders, or `-` for a pipe. `no_clobber`: leave
    tags that stand for something else. `timeout`: seconds to wait for an answer. `pipe`: what `-` means."""

    images: tuple[str, ...]
    names: Names
    via: Via = "auto"
    no_clobber: bool = False
    timeout: float = 30.0
    pipe: BufferedReader | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Item(Generic[T]):
    """Something on its way: `it`, or the error that ended it. `word`: what it is told by."""

    word: str
    it: T | DevregError


_Found = _Item[Source]
_Ready = _Item[Callable[[], Pushed]]


def push(wanted: Wanted, *, listener: Listener, engine: Callable[[], Engine] = open_engine) -> Pushes:
    """Push each image; one that fails does not keep the others from being pushed. Raises UsageError, for all of them,
    before anything is sent."""
    words = tuple(dict.fromkeys(wanted.images))
    _refuse(wanted, words)
    found = [each for word in words for each in _found(word, wanted.names, engine)]
    sound = [each.it for each in found if isinstance(each.it, Source)]
    refuse_same_name(sound)
    if wanted.via == "engine" and (wrong := next((each.word for each in sound if each.is_archive), None)):
        raise UsageError(f"the engine does not push archives: {wrong}", hint="leave out --via engine, or load it first")
    with _Push(wanted, listener, engine) as run:
        ready = [each for one in found for each in run.raise_one(one)]
        done = [(each.word, _outcome(each.it)) for each in ready]
    return Pushes(
        tuple(each for _, each in done if isinstance(each, Pushed)),
        tuple((word, each) for word, each in done if isinstance(each, DevregError)),
    )


def _refuse(wanted: Wanted, words: Sequence[str]) -> None:
    """Raise UsageError for words that do not go together."""
    if wanted.names.name is not None and len(words) > 1:
        raise UsageError("--as is for one image", hint="push the images one after the other, or use --to")
    if PIPE in words and (wanted.pipe is None or wanted.pipe.isatty()):
        raise UsageError(
            "no archive comes through standard input", hint="pipe one in: docker save IMAGE | devreg push - --as NAME"
        )


def _found(word: str, names: Names, engine: Callable[[], Engine]) -> list[_Found]:
    try:
        return [_Found(word, each) for each in sources(word, names, engine)]
    except UsageError:
        raise
    except DevregError as error:
        return [_Found(word, error)]


def _outcome(finish: Callable[[], Pushed] | DevregError) -> Pushed | DevregError:
    if isinstance(finish, DevregError):
        return finish
    try:
        return finish()
    except DevregError as error:
        return error


class _Push:
    """One run: its registries are opened once, and closed at the end."""

    def __init__(self, wanted: Wanted, listener: Listener, engine: Callable[[], Engine]) -> None:
        self._wanted = wanted
        self._listener = listener
        self._engine = engine
        self._closing = ExitStack()
        self._cache = self._closing.enter_context(PushCache())
        self._registries: dict[Address, Registry | DevregError] = {}
        self._placers: dict[tuple[Address, str], Placer] = {}

    def __enter__(self) -> _Push:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def raise_one(self, found: _Found) -> Iterator[_Ready]:
        """Put up what an image consists of: then each of its names can be given."""
        if isinstance(found.it, DevregError):
            yield _Ready(found.word, found.it)
            return
        try:
            finish = self._raise(found.it)
        except DevregError as error:
            yield _Ready(found.word, error)
            return
        for name in found.it.target.references:
            yield _Ready(str(name), partial(finish, name))

    def _raise(self, source: Source) -> Callable[[Reference], Pushed]:
        """Put up an image, and return what gives it a name."""
        if before := self._placers.get((source.target.registry, source.target.repository)):
            before.take_counts()  # of an image that failed
        if not source.is_archive:
            return self._raise_local(source.word, source.target)
        placer = self._placer(source.target)
        self._say(source, "direct", "it is an archive")
        return self._naming(source, placer, self._raise_archived(source, placer))

    def _raise_archived(self, source: Source, placer: Placer) -> Raised:
        if source.archived is not None:
            if self._wanted.no_clobber:
                refuse_clobber(placer, source.target.tags, source.archived.id)
            return source.archived.raise_by(placer, source.target.tags)
        if self._wanted.pipe is None:
            raise AssertionError("without a pipe nothing is pushed from one")
        return piped.raise_piped(placer, self._wanted.pipe, source.target.tags)

    def _raise_local(self, image: str, target: Target) -> Callable[[Reference], Pushed]:
        from devreg.actions import push_route
        from devreg.engine import images

        engine = self._engine()
        try:
            local = images.local(engine, image)
        except NotFound as error:
            raise missing(image, error) from error
        via, no_clobber = self._wanted.via, self._wanted.no_clobber
        planned = push_route.plan(engine, local, target, lambda: self._placer(target), via, no_clobber=no_clobber)
        source = Source(image, target)
        self._say(source, planned.route, planned.reason)
        if planned.route == "engine" or planned.raise_by is None:
            return self._by_engine(engine, source, local, planned.raise_by)
        for name in target.references:
            images.tag(engine, image, name)
        placer = self._placer(target)
        return self._naming(source, placer, planned.raise_by(placer), local.id)

    def _by_engine(
        self, engine: Engine, source: Source, local: LocalImage, raise_by: Callable[[Placer], Raised] | None
    ) -> Callable[[Reference], Pushed]:
        """What lets the engine push; from the first time on that it cannot, and devreg may, the image goes directly."""
        from devreg.actions import push_by_engine

        directly: Callable[[Reference], Pushed] | None = None

        def finish(name: Reference) -> Pushed:
            nonlocal directly
            if directly is None:
                try:
                    pushed = push_by_engine.push(engine, source.word, name, self._wanted.timeout, self._listener)
                    self._learn(source.target, local, pushed)
                    return pushed
                except push_by_engine.NotByEngine as error:
                    if raise_by is None:
                        raise
                    self._listener(Warn(f"{error.message}; now directly"))
                    placer = self._placer(source.target)
                    placer.take_counts()
                    directly = self._naming(source, placer, raise_by(placer), local.id)
            return directly(name)

        return finish

    def _learn(self, target: Target, local: LocalImage, pushed: Pushed) -> None:
        if placer := self._placers.get((target.registry, target.repository)):
            with suppress(DevregError):  # it is up; what the next push could learn of it is not worth a failure
                learn_pushed(placer, local.id, local.diff_ids, pushed.digest)

    def _naming(
        self, source: Source, placer: Placer, raised: Raised, image_id: str | None = None
    ) -> Callable[[Reference], Pushed]:
        """What gives a name to an image that is up. `image_id`: what the cache is to know it by."""
        counts, sent = placer.take_counts()
        layers, digest = _all_counted(raised, counts), raised.descriptor.digest
        first = source.target.references[0]

        def finish(name: Reference) -> Pushed:
            manifests.name(placer, raised, name.version, no_clobber=self._wanted.no_clobber)
            if image_id:
                self._cache.learn_manifest(placer.address, placer.repository, image_id, digest)
            now, bytes_sent = (layers, sent) if name == first else (layers.all_existing(), 0)
            return Pushed(source.word, str(name), digest, "direct", bytes_sent, now)

        return finish

    def _say(self, source: Source, route: str, reason: str) -> None:
        where = f"{source.target.registry}/{source.target.repository}"
        self._listener(Step(f"pushing {source.word} to {where}, {route}: {reason}"))

    def _placer(self, target: Target) -> Placer:
        key = (target.registry, target.repository)
        if key not in self._placers:
            self._placers[key] = Placer(self._registry(target.registry), *key, self._cache, self._listener)
        return self._placers[key]

    def _registry(self, address: Address) -> Registry:
        """One that does not answer is not waited for a second time."""
        if address not in self._registries:
            try:
                opened = open_registry(address, timeout=self._wanted.timeout)
                self._registries[address] = self._closing.enter_context(opened)
            except DevregError as error:
                self._registries[address] = error
        found = self._registries[address]
        if isinstance(found, DevregError):
            raise found
        return found


def _all_counted(raised: Raised, counts: Layers) -> Layers:
    """Of an image that is found whole, or whose layers another image has brought, not each layer was looked for."""
    its = raised.descriptor
    with suppress(DevregError):  # something that is kept as it is, and is no image
        layers = len(parse_manifest(raised.body, media_type=its.media_type, digest=its.digest).layers)
        return replace(counts, existing=max(counts.existing, layers - counts.sent - counts.mounted))
    return counts
