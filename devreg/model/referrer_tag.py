"""Tags by which clients find what refers to a manifest, above all in registries that have no list of it."""

from __future__ import annotations

import re

from devreg.model.wire import is_digest

_TAG = re.compile(r"(?P<algorithm>sha256|sha512)-(?P<hex>[0-9a-f]+)(?:\.[A-Za-z0-9_.-]+)?")


def subject(tag: str) -> str | None:
    """The digest of the manifest that such a tag belongs to; None for any other tag.

    `sha256-<hex>` is the OCI distribution-spec's "Referrers Tag Schema"; cosign adds `.sig`, `.att` or `.sbom`.
    """
    match = _TAG.fullmatch(tag)
    digest = f"{match['algorithm']}:{match['hex']}" if match else ""
    return digest if is_digest(digest) else None


def list_tag(digest: str) -> str:
    """The tag of the index in which clients list what refers to a manifest. Of a sha512 it has half, as tags are short
    (OCI distribution-spec, "Referrers Tag Schema")."""
    algorithm, _, encoded = digest.partition(":")
    return f"{algorithm}-{encoded[:64]}"


def cosign_tags(digest: str) -> tuple[str, ...]:
    """The tags of the artifacts that cosign makes: signatures, attestations, an SBOM."""
    return tuple(f"{digest.replace(':', '-', 1)}{suffix}" for suffix in (".sig", ".att", ".sbom"))
