"""What refers to an image of another repository: it is put up as the image is, and can be found where that is."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from devreg.direct.copied import manifests_of, raise_copy
from devreg.direct.manifests import Raised, name
from devreg.direct.placer import Placer
from devreg.model.errors import NotAuthorized, NotFound
from devreg.model.inspection import texts_by_name
from devreg.model.manifest import OCI_INDEX, Descriptor
from devreg.model.referrer_tag import subject
from devreg.model.wire import digest_of, json_object, unusable
from devreg.registry.client import Registry
from devreg.remote.contents import Contents

_MOST = 1000
"""Referrers of one image, and theirs. Real ones have a handful."""


def related(
    contents: Contents,
    repository: str,
    placer: Placer,
    raised: Raised,
    tags: Callable[[], Mapping[str, Sequence[str]]],
    *,
    no_clobber: bool = False,
) -> int:
    """Put up what refers to a manifest that was copied, to the images of an index, and to what refers to them.

    That is what the source lists, and what is found by its `tags`, as `tags_by_subject` has them: cosign signs by those
    also where there is a list. Returns how many there are. Raises what `tags` and raise_copy do, RegistryUnreachable
    for more than anybody has, and RefusedOverwrite where `no_clobber` and a tag of theirs stands for another.
    """
    tagged = tags()
    waiting = list(manifests_of(contents, repository, raised.descriptor))
    done, found = set[str](), set[str]()
    while waiting:
        digest = waiting.pop()
        listed = _listed(contents.registry, repository, digest) or []
        for each in dict.fromkeys((*listed, *tagged.get(digest, ()))):
            if each in done:
                continue
            if len(done) == _MOST:
                raise unusable(f"more than {_MOST} manifests refer to {raised.descriptor.digest}")
            done.add(each)
            copied = raise_copy(contents, repository, placer, each)
            _give_name(placer, copied, each, no_clobber)
            below = list(manifests_of(contents, repository, copied.descriptor))
            waiting += below
            found.update(below[:-1] if _is_list(each) else below[-1:])
            if each in listed and _listed(placer.registry, placer.repository, digest) is None:
                _note(placer, digest.replace(":", "-", 1), [_entry(copied)])
    return len(found)


def _is_list(reference: str) -> bool:
    """Whether it is the tag of a list that clients keep: that is no referrer, but names some."""
    return subject(reference) is not None and "." not in reference


def tags_by_subject(registry: Registry, repository: str) -> dict[str, list[str]]:
    """Those that belong to a manifest, by its digest. Registry 2.8 does not know a repository without any tag."""
    found: dict[str, list[str]] = defaultdict(list)
    with suppress(NotFound):
        for tag in registry.tags(repository):
            if digest := subject(tag):
                found[digest].append(tag)
    return found


def _listed(registry: Registry, repository: str, digest: str) -> list[str] | None:
    """What refers to a manifest; None where there is no list. Some registries refuse whatever they do not know."""
    try:
        found = registry.referrers(repository, digest)
    except NotAuthorized:
        return None
    return None if found is None else [each.digest for each in found]


def _give_name(placer: Placer, copied: Raised, reference: str, no_clobber: bool) -> None:
    """A list that clients keep under a tag is joined with the one that is there; all else gets its name."""
    entries = json_object(copied.body, "the index").get("manifests")
    if subject(reference) and isinstance(entries, list) and _noted(placer, reference):
        _note(placer, reference, [each for each in entries if isinstance(each, dict)])
    else:
        name(placer, copied, reference, no_clobber=no_clobber)


def _noted(placer: Placer, tag: str) -> list[dict[str, object]]:
    """The entries of the index under a tag; none where there is no such index."""
    try:
        body, _, _ = placer.registry.manifest_body(placer.repository, tag)
    except NotFound:
        return []
    entries = json_object(body, "the index").get("manifests")
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def _note(placer: Placer, tag: str, entries: Iterable[dict[str, object]]) -> None:
    """Note referrers where the registry has no list of them: in an index whose tag is the digest of the subject, as
    the OCI distribution-spec asks of clients ("Referrers Tag Schema")."""
    there = _noted(placer, tag)
    known = [each.get("digest") for each in there]
    new = [each for each in entries if each.get("digest") not in known]
    if not new:
        return
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*there, *new]}
    content = json.dumps(index).encode()
    name(placer, Raised(Descriptor(OCI_INDEX, digest_of(content), len(content)), content), tag)


def _entry(referrer: Raised) -> dict[str, object]:
    """A referrer's descriptor, which repeats its type and its annotations."""
    its, manifest = referrer.descriptor, json_object(referrer.body, "the manifest")
    config = manifest.get("config")
    kind = manifest.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else None)
    told = {
        "artifactType": kind if isinstance(kind, str) else None,
        "annotations": texts_by_name(manifest.get("annotations")),
    }
    return {
        "mediaType": its.media_type,
        "digest": its.digest,
        "size": its.size,
        **{key: value for key, value in told.items() if value},
    }
