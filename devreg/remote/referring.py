"""What refers to a manifest, by what the registry offers for that: a list, or tags.

Registries have a list (OCI distribution-spec, "Listing Referrers"). In others, clients keep it in an index under a tag.
In both, cosign has artifacts under tags of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from contextlib import suppress

from devreg.model.errors import DevregError
from devreg.model.manifest import Descriptor
from devreg.model.referrer_tag import cosign_tags, list_tag
from devreg.registry.at_once import in_order
from devreg.remote.contents import Contents

Tags = Mapping[str, str | None]
"""All tags of a repository, and the digests that they stand for, as far as those are known."""


def referring(contents: Contents, repository: str, digest: str) -> tuple[Descriptor, ...] | None:
    """Signatures, SBOMs and the like. None where the registry has no list of them, and no tags tell of any either.

    They are an extra: what keeps them from being read keeps nothing else from being shown.
    """
    return _found(contents, repository, digest, _listed(contents, repository, digest), None)


def counted(contents: Contents, repository: str, digests: Set[str], tags: Tags) -> Counter[str]:
    """How many there are of each digest. A registry without a list for the first one is asked for no other."""
    first = next(iter(digests), None)
    has_lists = first is not None and _listed(contents, repository, first) is not None
    subjects = [digest for digest in digests if has_lists or not tags.keys().isdisjoint(_tags_of(digest))]

    def count(digest: str) -> int:
        listed = _listed(contents, repository, digest) if has_lists else None
        return len(_found(contents, repository, digest, listed, tags) or ())

    return Counter(dict(zip(subjects, in_order(count, subjects), strict=True)))


def _found(
    contents: Contents, repository: str, digest: str, listed: tuple[Descriptor, ...] | None, tags: Tags | None
) -> tuple[Descriptor, ...] | None:
    """Each once, whatever it is known by. `tags`: None where they would have to be asked for."""
    names = cosign_tags(digest) if listed is not None else _tags_of(digest)
    there = {name: name if tags is None else tags[name] or name for name in names if tags is None or name in tags}
    tagged = in_order(lambda reference: _tagged(contents, repository, reference), list(there.values()))
    found = {each.digest: each for some in (listed or (), *tagged) for each in some}
    return tuple(found.values()) if found or listed is not None else None


def _tags_of(digest: str) -> tuple[str, ...]:
    """All tags under which something that refers to a manifest may be."""
    return list_tag(digest), *cosign_tags(digest)


def _listed(contents: Contents, repository: str, digest: str) -> tuple[Descriptor, ...] | None:
    with suppress(DevregError):
        return contents.registry.referrers(repository, digest)
    return None


def _tagged(contents: Contents, repository: str, reference: str) -> tuple[Descriptor, ...]:
    """What an index under such a tag names, or else the one artifact that is under it, which is what its layers are."""
    try:
        manifest = contents.manifest(repository, reference)
    except DevregError:
        return ()
    if manifest.kind == "index":
        return (*manifest.children, *manifest.attestations)
    kind = next((layer.media_type for layer in manifest.layers), None)
    return (Descriptor(manifest.media_type, manifest.digest, manifest.size, artifact_type=kind),)
