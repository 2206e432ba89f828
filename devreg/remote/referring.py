"""What refers to a manifest, by what the registry offers for that: a list, or tags."""

from __future__ import annotations

from contextlib import suppress

from devreg.model.errors import DevregError
from devreg.model.manifest import Descriptor
from devreg.registry.at_once import in_order
from devreg.remote.contents import Contents

_COSIGN = (".sig", ".att", ".sbom")
"""What cosign puts behind the digest of a manifest to make a tag of it, also where there is a list. Without anything it
is the tag of the OCI distribution-spec's "Referrers Tag Schema", an index."""


def referring(contents: Contents, repository: str, digest: str) -> tuple[Descriptor, ...] | None:
    """Signatures, SBOMs and the like. None where the registry has no list of them, and no tags tell of any either.

    They are an extra: what keeps them from being read keeps nothing else from being shown.
    """
    listed = None
    with suppress(DevregError):
        listed = contents.registry.referrers(repository, digest)
    tag = digest.replace(":", "-", 1)
    suffixes = _COSIGN if listed is not None else ("", *_COSIGN)
    tagged = in_order(lambda suffix: _tagged(contents, repository, f"{tag}{suffix}"), suffixes)
    found = {each.digest: each for some in (listed or (), *tagged) for each in some}
    return tuple(found.values()) if found or listed is not None else None


def _tagged(contents: Contents, repository: str, tag: str) -> tuple[Descriptor, ...]:
    """What an index under such a tag names, or else the one artifact that is under it, which is what its layers are."""
    try:
        manifest = contents.manifest(repository, tag)
    except DevregError:
        return ()
    if manifest.kind == "index":
        return manifest.children
    kind = next((layer.media_type for layer in manifest.layers), None)
    return (Descriptor(manifest.media_type, manifest.digest, manifest.size, artifact_type=kind),)
