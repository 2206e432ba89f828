"""Copying images from repository to repository, of one registry or of two: whole, byte for byte, without pulling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial

from devreg.actions.reach import open_contents
from devreg.direct.copied import as_it_is, raise_copy
from devreg.direct.manifests import name as give_name
from devreg.direct.placer import Placer
from devreg.direct.referrers import related, tags_by_subject
from devreg.host.push_cache import PushCache
from devreg.model.address import Address
from devreg.model.errors import DevregError, NotFound, PartlyDone, UsageError
from devreg.model.events import Listener, Step, silent
from devreg.model.reference import Reference, is_tag, split_glob
from devreg.model.referrer_tag import subject
from devreg.model.results import Copied
from devreg.model.selection import matching, natural
from devreg.model.wire import unusable
from devreg.remote.contents import Contents


@dataclass(frozen=True)
class Wish:
    """What to copy, and where to. `glob`: the source's tags that match, instead of its own; `platform`: of an index,
    that image alone; `referrers`: also what refers to it; `no_clobber`: leave tags that stand for something else."""

    source: Reference
    target: Reference
    glob: str | None = None
    platform: str | None = None
    referrers: bool = True
    no_clobber: bool = False


@dataclass(frozen=True)
class Copies:
    """What was copied, and why the rest was not, by the source's name: an image, or what refers to one that was."""

    copied: tuple[Copied, ...]
    failed: tuple[tuple[str, DevregError], ...]


def wish(source: str, target: str, default: Address) -> Wish:
    """Read what the user typed. Both names may carry their registries. Raises UsageError."""
    name, glob = split_glob(source)
    of, to = (Reference.parse(text).within(default) for text in (name, target))
    if to.digest:
        raise UsageError(f"{to} names a digest; it will be that of the source", hint="name a tag: REPO:TAG")
    if glob and to.tag:
        raise UsageError(f"several tags cannot all become {to}", hint="leave out the tag: each keeps its own")
    return Wish(of, to, glob)


def copy(wanted: Wish, *, timeout: float, listener: Listener) -> Copies:
    """Copy what is wanted, tag by tag.

    Raises NotFound for a glob that nothing matches; what goes wrong with a tag does not keep the others.
    """
    source, target = wanted.source, wanted.target
    with ExitStack() as stack:
        contents = stack.enter_context(open_contents(source.home, timeout=timeout))
        registry = contents.registry
        if target.home != source.home:
            registry = stack.enter_context(open_contents(target.home, timeout=timeout)).registry
        pushes = stack.enter_context(PushCache())
        placer = Placer(registry, target.home, target.repository, pushes, listener)
        tags = cache(partial(tags_by_subject, contents.registry, source.repository))
        copied: list[Copied] = []
        failed: list[tuple[str, DevregError]] = []
        for version in _versions(contents, wanted):
            listener(Step(f"copying {source.name}{_mark(version)}{version} to {target.name}"))
            try:
                done, left = _copy(contents, placer, wanted, version, tags)
                copied.append(done)
            except DevregError as error:
                placer.take_counts()  # they are not the next one's
                left = error
            if left:
                failed.append((f"{source.name}{_mark(version)}{version}", left))
        return Copies(tuple(copied), tuple(failed))


def retag(reference: Reference, tags: Sequence[str], *, no_clobber: bool, timeout: float) -> Iterator[Copied]:
    """Give what a reference stands for more tags. Raises NotFound, RefusedOverwrite, UploadFailed and so on."""
    with open_contents(reference.home, timeout=timeout) as contents, PushCache() as pushes:
        placer = Placer(contents.registry, reference.home, reference.repository, pushes, silent)
        body = contents.there(reference.repository, reference.version)
        for tag in tags:
            changed = give_name(placer, as_it_is(body), tag, no_clobber=no_clobber)
            yield Copied(str(reference), f"{reference.name}:{tag}", body.digest, changed)


def _copy(
    contents: Contents, placer: Placer, wanted: Wish, version: str, tags: Callable[[], Mapping[str, Sequence[str]]]
) -> tuple[Copied, DevregError | None]:
    """What was copied, and why what refers to it was not. `tags`: as for `related`."""
    repository = wanted.source.repository
    if wanted.glob is not None and not is_tag(version):
        raise unusable(f"it lists {version!r} as a tag, which is none")
    raised = raise_copy(contents, repository, placer, version, platform=wanted.platform)
    digest = raised.descriptor.digest
    own = wanted.source.tag if version == wanted.source.digest else version
    tag = wanted.target.tag or own or digest
    changed = give_name(placer, raised, tag, no_clobber=wanted.no_clobber)
    referrers, left = 0, None
    try:
        if wanted.referrers:
            referrers = related(contents, repository, placer, raised, tags, no_clobber=wanted.no_clobber)
    except DevregError as error:
        hint = f"{error.hint}; or leave that out: --no-referrers"
        left = PartlyDone(f"the image was copied, not all that refers to it: {error.message}", hint=hint)
    layers, sent = placer.take_counts()
    source = f"{wanted.source.name}{_mark(version)}{version}"
    return Copied(source, f"{wanted.target.name}{_mark(tag)}{tag}", digest, changed, sent, layers, referrers), left


def _versions(contents: Contents, wanted: Wish) -> list[str]:
    """The tags to copy, or the digest.

    A glob does not mean the tags of signatures and the like: those go along with what they refer to, or stay.
    """
    if wanted.glob is None:
        return [wanted.source.version]
    tags = matching(contents.registry.tags(wanted.source.repository), wanted.glob)
    found = sorted((tag for tag in tags if subject(tag) is None), key=natural)
    if not found:
        name = wanted.source.name
        raise NotFound(f"no tag of {name} matches {wanted.glob}", hint=f"what there is, tells devreg tags {name}")
    return found


def _mark(version: str) -> str:
    return "@" if ":" in version else ":"
