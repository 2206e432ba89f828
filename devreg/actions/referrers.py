"""How many signatures, attestations and SBOMs refer to manifests, by what the registry offers for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from contextlib import suppress

from devreg.model.errors import DevregError
from devreg.model.referrer_tag import subject
from devreg.registry.at_once import in_order
from devreg.remote.contents import Contents


def counted(contents: Contents, repository: str, tags: Iterable[str], digests: Set[str]) -> Counter[str]:
    """How many manifests refer to each of `digests`, which are of manifests in `repository`. `tags`: all of its tags.

    Registries have a list for that (OCI distribution-spec, "Listing Referrers"). In others, clients keep it themselves
    in an index whose tag is the subject's digest (the spec's "Referrers Tag Schema"). In both, cosign has artifacts
    under such tags with a suffix each. What cannot be read is not counted.
    """
    subjects = list(digests)
    is_listed = bool(subjects) and _lists_them(contents, repository, subjects[0])
    numbers = in_order(lambda digest: _listed(contents, repository, digest), subjects if is_listed else [])
    found = Counter(dict(zip(subjects, numbers, strict=False)))
    for tag in tags:
        if (digest := subject(tag)) and digest in digests:
            if "." in tag:
                found[digest] += 1
            elif not is_listed:
                found[digest] += _tagged(contents, repository, tag)
    return found


def _lists_them(contents: Contents, repository: str, digest: str) -> bool:
    with suppress(DevregError):
        return contents.registry.referrers(repository, digest) is not None
    return False


def _listed(contents: Contents, repository: str, digest: str) -> int:
    with suppress(DevregError):
        return len(contents.registry.referrers(repository, digest) or ())
    return 0


def _tagged(contents: Contents, repository: str, tag: str) -> int:
    with suppress(DevregError):
        return len(contents.manifest(repository, tag).children)
    return 0
