"""Back up the registry while it runs.

A push writes blobs, then the manifest, then the tag. A backup reads the other way round: tags, then manifests, then
blobs. So whatever it has found, what that needs was there before. Garbage collection waits meanwhile.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import IO

from devreg.actions.serving import users
from devreg.actions.serving.blob_bytes import Blob, Joined
from devreg.actions.serving.running_server import Running
from devreg.actions.serving.server_lock import server_locked
from devreg.actions.serving.server_runtime import Server
from devreg.model.errors import ServerError
from devreg.model.events import Counted, Listener, Step, Warn
from devreg.model.results import BackedUp
from devreg.server import storage
from devreg.server.backup_index import BLOBS, INDEX, LARGEST_MANIFEST, USERS, Index, Repository, needs

_CHUNK_BYTES = 2**20


def back_up(present: Server, target: IO[bytes], listener: Listener) -> BackedUp:
    """Write a backup of everything that a manifest needs, and of the users. Every blob is checked as it is read.

    Raises ServerError when the server does not run, or when a blob is damaged.
    """
    with server_locked():
        server = present.running()
        listener(Step("reading tags and manifests"))
        index = _index(server, listener)
        text = users.text(server.files)
        with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_CHUNK_BYTES) as archive:
            _add(archive, INDEX, index.dumps())
            _add(archive, USERS, text.encode())
            for number, (digest, blob) in enumerate(_content(server, index.blobs), 1):
                archive.addfile(_member(f"{BLOBS}{digest.partition(':')[2]}", index.blobs[digest]), blob)  # type: ignore[arg-type]
                _check(digest, blob)
                listener(Counted("blobs", number, len(index.blobs)))
        return index.told(text)


def _index(server: Running, listener: Listener) -> Index:
    tags = list(storage.tags(server.lines(storage.TAGS, doing="read the tags")))
    repositories: dict[str, Repository] = {}
    for name, digest in storage.manifests(server.lines(storage.MANIFESTS, doing="read the links of manifests")):
        repositories.setdefault(name, Repository()).manifests.append(digest)
    for name, tag, digest in tags:
        # One without its manifest was deleted between the two readings.
        if name in repositories and digest in repositories[name].manifests:
            repositories[name].tags[tag] = digest
    manifests = _sizes(server, {digest for each in repositories.values() for digest in each.manifests})
    wanted = set(manifests)
    for digest, blob in _content(server, manifests, keep=True):
        wanted.update(needs(blob.all()))
        _check(digest, blob)
    blobs = {**manifests, **_sizes(server, wanted - manifests.keys())}
    missing = tuple(sorted(wanted - blobs.keys()))
    if missing:
        listener(Warn(f"the registry itself lacks {len(missing)} blobs that manifests name, such as {missing[0]}"))
    return Index(datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), repositories, blobs, missing)


def _sizes(server: Running, digests: set[str]) -> dict[str, int]:
    """The bytes of those blobs that are there, by digest."""
    if not digests:
        return {}
    listed = server.listed(sorted(digest.partition(":")[2] for digest in digests))
    found = storage.blobs(server.lines(storage.BLOBS, listed, doing="look at blobs"))
    return {f"sha256:{blob.hex}": blob.size for blob in found}


def _content(server: Running, sizes: dict[str, int], *, keep: bool = False) -> Iterator[tuple[str, Blob]]:
    """Each blob, to be read before the next one is asked for."""
    if not sizes:
        return
    listed = server.listed(digest.partition(":")[2] for digest in sizes)
    source = Joined(server.stream(storage.CONTENT, listed, doing="read blobs"))
    for digest, size in sizes.items():
        yield digest, Blob(source, size, keep=keep and size <= LARGEST_MANIFEST)


def _check(digest: str, blob: Blob) -> None:
    if not blob.is_whole(digest):
        raise ServerError(
            f"the registry's blob {digest} is damaged",
            hint="push the images that need it again; `devreg tree` and `inspect` tell which do",
        )


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    archive.addfile(_member(name, len(data)), io.BytesIO(data))
