"""What a backup of the registry is: a tar of an index, the users, and each blob under its digest.

    devreg-backup.json, htpasswd, blobs/sha256/0a1b…

The index comes first and names every blob, so that whoever reads on knows what has to come.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from devreg.model.errors import ArchiveUnusable
from devreg.model.results import BackedUp
from devreg.server import htpasswd

SCHEMA = "devreg-backup/1"
INDEX, USERS, BLOBS = "devreg-backup.json", "htpasswd", "blobs/sha256/"
# The registry refuses manifests that are larger.
LARGEST_MANIFEST = 4 * 2**20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_FOREIGN = "urls"


@dataclass
class Repository:
    """A repository's tags with their digests, and the digests of its manifests, tagged or not."""

    tags: dict[str, str] = field(default_factory=dict)
    manifests: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Index:
    """Everything but the content: repositories by name, sizes of blobs by digest, blobs that were not there."""

    created: str
    repositories: dict[str, Repository]
    blobs: dict[str, int]
    missing: tuple[str, ...] = ()

    @property
    def manifests(self) -> set[str]:
        """The digests of all manifests."""
        return {digest for each in self.repositories.values() for digest in each.manifests}

    def dumps(self) -> bytes:
        """The index as JSON."""
        repositories = {name: vars(each) for name, each in sorted(self.repositories.items())}
        content = {"schema": SCHEMA, **vars(self), "repositories": repositories}
        return json.dumps(content, indent=1).encode()

    def told(self, users: str) -> BackedUp:
        """The index in numbers."""
        each = self.repositories.values()
        return BackedUp(
            repositories=len(each),
            tags=sum(len(one.tags) for one in each),
            manifests=len(self.manifests),
            blobs=len(self.blobs),
            size=sum(self.blobs.values()),
            users=htpasswd.users(users),
            missing=self.missing,
        )


def loads(data: bytes) -> Index:
    """Read an index. Raises ArchiveUnusable for what is none: every name in it becomes a path."""
    try:
        plain = json.loads(data)
        if plain["schema"] != SCHEMA:
            raise ValueError(plain["schema"])
        repositories = {
            _checked(_NAME, name): Repository(
                {_checked(_TAG, tag): _checked(_DIGEST, digest) for tag, digest in each["tags"].items()},
                [_checked(_DIGEST, digest) for digest in each["manifests"]],
            )
            for name, each in plain["repositories"].items()
        }
        blobs = {_checked(_DIGEST, digest): int(size) for digest, size in plain["blobs"].items()}
        missing = tuple(_checked(_DIGEST, digest) for digest in plain["missing"])
        return Index(str(plain["created"]), repositories, blobs, missing)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise unusable(f"its index cannot be read ({error})") from error


def unusable(fault: str) -> ArchiveUnusable:
    """Why a backup cannot be restored."""
    return ArchiveUnusable(f"the backup is damaged: {fault}", hint="take another copy of it; nothing was changed")


def needs(manifest: bytes) -> Iterator[str]:
    """The digests of what a manifest is made of, but for layers that clients fetch elsewhere. Nothing for no JSON."""
    try:
        content = json.loads(manifest)
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict):
        for each in _entries(content):
            digest = each.get("digest") or each.get("blobSum")
            if isinstance(digest, str) and _DIGEST.fullmatch(digest) and not each.get(_FOREIGN):
                yield digest


def layers(manifest: bytes, manifests: set[str]) -> Iterator[str]:
    """Those of its needs that a repository links as layers, which manifests of other platforms are not."""
    return (digest for digest in needs(manifest) if digest not in manifests)


def blob_path(digest: str) -> str:
    """Where the registry keeps a blob, below its data folder."""
    hex = digest.partition(":")[2]
    return f"docker/registry/v2/blobs/sha256/{hex[:2]}/{hex}/data"


def links(index: Index, layers_of: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Path and content of every link, in the order in which a push writes them. `layers_of`: by manifest."""
    for name, repository in index.repositories.items():
        root = f"docker/registry/v2/repositories/{name}"
        for digest in sorted({each for manifest in repository.manifests for each in layers_of.get(manifest, ())}):
            yield f"{root}/_layers/sha256/{digest.partition(':')[2]}/link", digest
        for digest in repository.manifests:
            yield f"{root}/_manifests/revisions/sha256/{digest.partition(':')[2]}/link", digest
        for tag, digest in repository.tags.items():
            yield f"{root}/_manifests/tags/{tag}/index/sha256/{digest.partition(':')[2]}/link", digest
            yield f"{root}/_manifests/tags/{tag}/current/link", digest


def _entries(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    lists = (content.get(key) for key in ("layers", "blobs", "manifests", "fsLayers"))
    found = [each for listed in lists if isinstance(listed, list) for each in listed]
    yield from (each for each in (content.get("config"), *found) if isinstance(each, dict))


def _checked(pattern: re.Pattern[str], text: object) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(text)
    return text
