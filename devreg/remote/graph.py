"""What the tags of a repository lead to, read from the registry."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from devreg.model import schema1
from devreg.model.body import Body
from devreg.model.errors import DevregError, NotAuthorized, NotFound
from devreg.model.events import Counted, Listener, silent
from devreg.model.graph import Holdings, Node
from devreg.model.manifest import Descriptor, Manifest
from devreg.model.wire import json_object, unusable
from devreg.registry.at_once import in_order
from devreg.remote.contents import Contents, parsed

MAX_MANIFESTS = 10_000
"""That one tag leads to. Real indexes name a few dozen."""

_ELSEWHERE = ("foreign", "nondistributable")  # in the media type of layers that no registry stores


def holdings(
    contents: Contents, repository: str, tags: Sequence[str] | None = None, listen: Listener = silent
) -> Holdings:
    """What the tags of a repository lead to; of all tags when none are named.

    A tag that cannot be read is told in `unread`. Raises NotFound, NotAuthorized and RegistryUnreachable where the
    tags cannot be listed.
    """
    names = list(contents.registry.tags(repository) if tags is None else tags)
    reader = _Reader(contents, repository)
    digests: dict[str, str] = {}
    unread: dict[str, str] = {}
    for at, (tag, (digest, why)) in enumerate(zip(names, in_order(reader.follow, names), strict=True)):
        listen(Counted(f"reading {repository}", at + 1, len(names)))
        if digest is None:
            unread[tag] = why
        else:
            digests[tag] = digest
    return Holdings(repository, digests, reader.nodes, unread, reader.unlisted)


class _Reader:
    """Follows tags to all that they lead to. Used by several threads; what two of them read is read from the cache."""

    def __init__(self, contents: Contents, repository: str) -> None:
        self.nodes: dict[str, Node] = {}
        self.unlisted = ""
        self._contents = contents
        self._repository = repository
        self._lists_referrers = True
        self._sizes: dict[str, int] = {}
        self._lock = Lock()

    def follow(self, tag: str) -> tuple[str | None, str]:
        """The digest of a tag, all of whose manifests are in `nodes` now; or None, and why it cannot be read."""
        try:
            body = self._contents.current(self._repository, tag)
            self._walk(body)
        except DevregError as error:
            return None, error.message
        return body.digest, ""

    def _walk(self, body: Body) -> None:
        waiting, seen = [body.digest], {body.digest}
        while waiting:
            digest = waiting.pop()
            node = self.nodes.get(digest) or self._node(digest, body if digest == body.digest else None)
            if node is None:
                continue
            self.nodes[digest] = node
            waiting += [each for each in node.leads_to if each not in seen]
            seen.update(node.leads_to)
            if len(seen) > MAX_MANIFESTS:
                raise unusable(f"{body.digest} leads to more than {MAX_MANIFESTS} manifests")

    def _node(self, digest: str, body: Body | None) -> Node | None:
        """A manifest. None for one that an index names and the registry does not have: it holds nothing."""
        try:
            body = body or self._contents.there(self._repository, digest)
        except NotFound:
            return None
        manifest = parsed(body)
        blobs = [*manifest.layers, *([manifest.config] if manifest.config else [])]
        content = {each.digest: each.size for each in blobs if not _is_elsewhere(each)}
        if manifest.kind == "schema1":
            content = {each: self._size(each) for each in schema1.layers(json_object(body.content, "the manifest"))}
        children = [each.digest for each in (*manifest.children, *manifest.attestations)]
        return Node({digest: manifest.size, **content}, (*children, *self._referrers(manifest)))

    def _referrers(self, manifest: Manifest) -> list[str]:
        """A registry without the list has it for no manifest, and who may not see it for one may not for any."""
        if not self._lists_referrers:
            return []
        found = None
        try:
            found = self._contents.registry.referrers(self._repository, manifest.digest)
        except NotAuthorized as error:
            self.unlisted = error.message
        if found is None:
            self._lists_referrers = False
        return [each.digest for each in found or ()]

    def _size(self, blob: str) -> int:
        """Of a layer whose manifest does not tell its size. Each is asked for once; a missing one holds nothing."""
        with self._lock:
            if blob not in self._sizes:
                self._sizes[blob] = self._contents.registry.has_blob(self._repository, blob) or 0
            return self._sizes[blob]


def _is_elsewhere(blob: Descriptor) -> bool:
    return any(word in blob.media_type for word in _ELSEWHERE)
