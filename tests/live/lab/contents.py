"""What a registry really has: every tag of a repository followed down to each byte of each blob."""

from __future__ import annotations

from dataclasses import dataclass

from tests.live.lab.wire import Wire, digest_of


@dataclass(frozen=True)
class Contents:
    """`tags`: the digest of each; `blobs`: the size of each blob that some tag leads to, foreign layers left out."""

    tags: dict[str, str]
    blobs: dict[str, int]


def contents(registry: Wire, repository: str) -> Contents:
    """All that the tags of a repository lead to; an AssertionError for what is missing or is not what it promises."""
    found = Contents({}, {})
    for tag in registry("GET", f"/v2/{repository}/tags/list").document.get("tags") or ():
        found.tags[tag] = _manifest(registry, repository, tag, found)
    return found


def _manifest(registry: Wire, repository: str, reference: str, found: Contents) -> str:
    answer = registry.manifest(repository, reference)
    assert answer.status == 200, f"{repository}:{reference} leads to a manifest that is missing: {answer}"
    manifest = answer.document
    for child in manifest.get("manifests", ()):
        assert _manifest(registry, repository, child["digest"], found) == child["digest"]
    blobs = [manifest["config"], *manifest["layers"]] if "config" in manifest else []
    for blob in blobs:
        if not blob.get("urls") and blob["digest"] not in found.blobs:
            body = registry("GET", f"/v2/{repository}/blobs/{blob['digest']}").body
            assert (len(body), digest_of(body)) == (blob["size"], blob["digest"]), f"{repository}:{reference}: {blob}"
            found.blobs[blob["digest"]] = len(body)
    return digest_of(answer.body)
