"""A plan is carried out: tags and manifests are deleted from a repository."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial

from devreg.model.deletion_plan import Fate, Outcome, Plan, freed
from devreg.model.errors import DevregError, NotAuthorized, NotFound, RegistryUnreachable
from devreg.model.events import Counted, Listener
from devreg.model.graph import Holdings
from devreg.registry.at_once import in_order
from devreg.registry.client import Registry
from devreg.remote.inventory import is_there
from devreg.remote.untagging import stands_for, untag

_AGAIN = "run the command again when the cause is gone"
_LOOK = "look at the registry's log, and at what stands between (proxy, cache)"
_ENOUGH = 3
"""Failures one after the other: the registry is down, or does not want it."""


def check_deletes(registry: Registry, repository: str) -> None:
    """Raise NotAuthorized where the registry deletes nothing."""
    if not registry.deletes(repository):
        raise NotAuthorized(
            "the registry has deleting turned off, or is read-only; nothing was changed",
            hint="in its configuration it is `storage: {delete: {enabled: true}}`, in its environment "
            "REGISTRY_STORAGE_DELETE_ENABLED=true; then restart it",
        )


def carry_out(registry: Registry, plan: Plan, holdings: Holdings, listen: Listener) -> Outcome:
    """Delete what the plan says, and see that it is gone and the rest still there. Failures are in the result.

    `holdings`: what the manifests of the plan lead to. What an index that could not be deleted leads to stays, too.
    Where there is one thing to do only, raises what hinders it.
    """
    work = _Work(plan.repository, sum(tag.by == "tag" for tag in plan.going) + len(plan.manifests), listen)
    for tag in plan.going:
        if tag.by == "tag":
            work.do(tag.name, partial(untag, registry, plan.repository, tag.name, tag.digest))
    needed: set[str] = set()
    for digest in plan.manifests:
        if digest in needed:
            work.failed[digest] = NotFound("what leads to it could not be deleted", hint=_AGAIN)
        elif not work.do(digest, partial(delete, registry, plan.repository, digest)):
            needed.update(holdings.manifests(digest))
    surprises = _surprises(registry, plan, work.failed)
    deleted = tuple(digest for digest in plan.manifests if digest not in work.failed)
    along = _gone(registry, plan.repository, {tag.digest for tag in plan.going if tag.by == "tag"}) - set(deleted)
    gone = (tag for tag in plan.going if (tag.name if tag.by == "tag" else tag.digest) not in work.failed)
    tags = tuple(tag.name for tag in gone if tag.name not in surprises)
    return Outcome(
        plan.repository, tags, deleted, tuple(along), freed(holdings.nodes, deleted), work.failed | surprises
    )


def delete(registry: Registry, repository: str, digest: str) -> None:
    """Delete a manifest with every tag on it. One that is not there is as good as deleted: zot, for one, deletes the
    images of an index along with it."""
    try:
        registry.delete_manifest(repository, digest)
    except DevregError:
        if is_there(registry, repository, digest):
            raise


def _gone(registry: Registry, repository: str, digests: Iterable[str]) -> set[str]:
    """Which of the manifests are not there. One that cannot be asked for is."""
    gone = set()
    for digest in digests:
        with suppress(DevregError):
            if not is_there(registry, repository, digest):
                gone.add(digest)
    return gone


class _Work:
    """Deletions, one after the other. `failed`: why some could not be done."""

    def __init__(self, repository: str, total: int, listen: Listener) -> None:
        self.failed: dict[str, DevregError] = {}
        self._what = f"deleting from {repository}"
        self._total = total
        self._done = 0
        self._in_a_row = 0
        self._listen = listen

    def do(self, name: str, work: Callable[[], None]) -> bool:
        """Whether it could be done. After some failures in a row nothing is tried any more.

        Raises what hinders it if there is nothing else to do.
        """
        if self._in_a_row >= _ENOUGH:
            self.failed[name] = NotFound("not tried after so many failures", hint=_AGAIN)
            return False
        try:
            work()
            self._in_a_row = 0
        except DevregError as error:
            if self._total == 1:
                raise
            self.failed[name] = error
            self._in_a_row += 1
        self._done += 1
        self._listen(Counted(self._what, self._done, self._total))
        return name not in self.failed


def _surprises(registry: Registry, plan: Plan, failed: Mapping[str, DevregError]) -> dict[str, DevregError]:
    """Tags that are still there although they should be gone, or the other way round."""

    def surprise(tag: Fate) -> DevregError | None:
        try:
            now = stands_for(registry, plan.repository, tag.name)
        except DevregError as error:
            return error
        if tag.goes and now == tag.digest:
            return RegistryUnreachable("the registry says that it is deleted, and still has it", hint=_LOOK)
        if not tag.goes and now is None:
            return NotFound("was to stay, and is gone", hint="somebody else may have deleted it; if not, push it again")
        return None

    tags = [tag for tag in plan.tags if tag.name not in failed and tag.digest not in failed]
    told = zip(tags, in_order(surprise, tags), strict=True)
    return {tag.name: error for tag, error in told if error}
