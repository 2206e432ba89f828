"""What is known of a repository when something in it is to be deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from devreg.model.graph import Holdings


@dataclass(frozen=True)
class Inventory:
    """`created`: RFC 3339, by digest. `subjects`: what manifests refer to, by digest.

    `lost`: digests that tags refer to by their names and that are not in the repository. `loose`: manifests that no
    tag leads to.
    """

    holdings: Holdings
    created: Mapping[str, str | None] = field(default_factory=dict)
    subjects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    loose: tuple[str, ...] = ()

    @property
    def digests(self) -> Mapping[str, str]:
        """What each tag stands for."""
        return self.holdings.digests

    def led_to(self, digests: Iterable[str]) -> set[str]:
        """These manifests and all that they lead to: an index's images, and what refers to them."""
        return self._closure(digests, with_subjects=False)

    def needed(self, digests: Iterable[str]) -> set[str]:
        """What has to stay as long as these manifests do: also what they refer to."""
        return self._closure(digests, with_subjects=True)

    def _closure(self, digests: Iterable[str], *, with_subjects: bool) -> set[str]:
        found = set(digests)
        waiting = list(found)
        while waiting:
            digest = waiting.pop()
            node = self.holdings.nodes.get(digest)
            ways = {*(node.leads_to if node else ()), *(self.subjects.get(digest, ()) if with_subjects else ())}
            waiting += ways - found
            found |= ways
        return found
