"""What the tags of a repository lead to: manifests and blobs, each counted once however many tags share it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Node:
    """A manifest in the registry. `content`: the size in bytes of itself, its config and its layers, each by digest.

    `leads_to`: the digests of the manifests that stay as long as it does: an index's images and attestations, and what
    refers to it.
    """

    content: Mapping[str, int]
    leads_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class Holdings:
    """What a repository holds. `digests`: of each tag that could be read; `unread`: why the others could not.

    `nodes`: every manifest by its digest; one that is missing holds nothing. While tags are unread, what only the
    others lead to is at most what is told here. `unlisted`: why the registry does not let us see what refers to them,
    although it may know; empty where it does, or has no list of that.
    """

    repository: str
    digests: Mapping[str, str]
    nodes: Mapping[str, Node]
    unread: Mapping[str, str] = field(default_factory=dict)
    unlisted: str = ""

    def manifests(self, digest: str) -> tuple[str, ...]:
        """The digests of a manifest and of all that it leads to, itself first."""
        found = dict.fromkeys([digest])
        waiting = [digest]
        while waiting:
            node = self.nodes.get(waiting.pop())
            for each in node.leads_to if node else ():
                if each not in found:  # a referrer may lead back
                    found[each] = None
                    waiting.append(each)
        return tuple(found)

    def blobs(self, digest: str) -> dict[str, int]:
        """The bytes of all that a manifest leads to, by digest. Manifests are stored too, so they count."""
        found: dict[str, int] = {}
        for each in self.manifests(digest):
            if node := self.nodes.get(each):
                found.update(node.content)
        return found

    def bytes_of(self, tags: Iterable[str]) -> int:
        """All distinct bytes that these tags lead to. Tags that could not be read count for nothing."""
        found: dict[str, int] = {}
        for digest in self._digests_of(tags):
            found.update(self.blobs(digest))
        return sum(found.values())

    def bytes_alone(self, tags: Iterable[str]) -> int:
        """The bytes that only these tags lead to, of all that are in the repository: what is free without them."""
        going = set(tags)
        gone = [digest for digest in self._digests_of(going) if going.issuperset(self._names[digest])]
        found: dict[str, int] = {}
        ways: Counter[str] = Counter()
        for digest in gone:
            blobs = self.blobs(digest)
            found.update(blobs)
            ways.update(blobs.keys())
        return sum(size for blob, size in found.items() if ways[blob] == self._ways[blob])

    def bytes_of_one(self, manifest: str) -> int:
        """The bytes that a manifest leads to, and that only one of the digests that have a tag does."""
        return sum(size for blob, size in self.blobs(manifest).items() if self._ways[blob] == 1)

    def tags_of(self, digest: str) -> frozenset[str]:
        """The tags that stand for a digest."""
        return frozenset(self._names.get(digest, ()))

    def _digests_of(self, tags: Iterable[str]) -> set[str]:
        return {self.digests[tag] for tag in tags if tag in self.digests}

    @cached_property
    def _names(self) -> dict[str, set[str]]:
        """The tags of each digest."""
        found: dict[str, set[str]] = {}
        for tag, digest in self.digests.items():
            found.setdefault(digest, set()).add(tag)
        return found

    @cached_property
    def _ways(self) -> Counter[str]:
        """How many of the digests that have a tag lead to each blob."""
        return Counter(blob for digest in self._names for blob in self.blobs(digest))
