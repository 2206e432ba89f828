"""Restore a backup: everything is read and verified beside the data before it takes its place."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from devreg.actions.serving import users
from devreg.actions.serving.blob_bytes import Blob, Joined
from devreg.actions.serving.running_server import Running
from devreg.actions.serving.server_lock import server_locked
from devreg.actions.serving.server_runtime import Server
from devreg.model.errors import RefusedOverwrite
from devreg.model.events import Counted, Listener, Step
from devreg.model.results import BackedUp
from devreg.server import storage
from devreg.server.backup_index import (
    BLOBS,
    INDEX,
    LARGEST_MANIFEST,
    USERS,
    Index,
    blob_path,
    layers,
    links,
    loads,
    needs,
    unusable,
)

_CHUNK_BYTES = 2**20
_LARGEST_INDEX = 2**30


def restore(present: Server, source: IO[bytes], *, replace: bool, wait: float, listener: Listener) -> BackedUp:
    """Put the images and the users of a backup into the server.

    One that has images already is refused, or with `replace` keeps them until the backup is verified; writers are then
    given `wait` seconds to come to a pause. Raises RefusedOverwrite, ArchiveUnusable for a damaged backup, ServerError.
    """
    with server_locked():
        server = present.running()
        if not replace and server.lines(storage.FIRST_FILE, doing="look at the data"):
            raise RefusedOverwrite(
                "the registry has images already", hint="give --replace to have those of the backup in their place"
            )
        server.lines(storage.SWEEP, doing="make room for the backup")
        listener(Step("reading the backup"))
        try:
            with _opened(source) as archive:
                reading = _begun(archive, listener)
                server.stage(reading.tar())
            _swap(server, wait, listener)
        except BaseException:
            server.lines(storage.SWEEP, doing="remove what was written of the backup")
            raise
        users.replace_all(server.files, reading.users)
        return reading.index.told(reading.users)


def _swap(server: Running, wait: float, listener: Listener) -> None:
    listener(Step("verified; putting it in place"))
    with server.paused(storage.PAUSE_WRITES, wait):
        server.lines(storage.SWAP, doing="put the backup in place")


def _opened(source: IO[bytes]) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=source, mode="r|", bufsize=_CHUNK_BYTES)
    except (tarfile.TarError, EOFError) as error:
        raise unusable("it is no tar") from error


def _begun(archive: tarfile.TarFile, listener: Listener) -> _Reading:
    index = loads(_text(archive, INDEX, _LARGEST_INDEX))
    return _Reading(archive, index, _text(archive, USERS, 2**24).decode(), listener)


def _text(archive: tarfile.TarFile, name: str, largest: int) -> bytes:
    member = _next(archive)
    content = archive.extractfile(member) if member and member.name == name and member.size <= largest else None
    if content is None:
        raise unusable(f"it has no {name} where that belongs")
    return content.read()


def _next(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return archive.next()
    except (tarfile.TarError, EOFError) as error:
        raise unusable("it is cut off") from error


@dataclass
class _Reading:
    """A backup whose blobs are being read, once."""

    archive: tarfile.TarFile
    index: Index
    users: str
    listener: Listener
    _layers: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def tar(self) -> Iterator[bytes]:
        """The registry's data as a tar. Its end comes only when all of it is verified: raises ArchiveUnusable."""
        manifests, seen = self.index.manifests, set()
        while member := _next(self.archive):
            digest = f"sha256:{member.name.removeprefix(BLOBS)}"
            if digest not in self.index.blobs or digest in seen or member.size != self.index.blobs[digest]:
                raise unusable(f"{member.name} is not what its index says")
            yield _header(blob_path(digest), member.size)
            yield from self._blob(member, digest, manifest=digest in manifests)
            yield b"\0" * (-member.size % tarfile.BLOCKSIZE)
            seen.add(digest)
            self.listener(Counted("blobs", len(seen), len(self.index.blobs)))
        if lacking := (self.index.blobs.keys() | manifests) - seen - set(self.index.missing):
            raise unusable(f"{len(lacking)} blobs are not in it, such as {min(lacking)}")
        for path, digest in links(self.index, self._layers):
            data = digest.encode()
            yield _header(path, len(data)) + data + b"\0" * (-len(data) % tarfile.BLOCKSIZE)
        yield b"\0" * (2 * tarfile.BLOCKSIZE)

    def _blob(self, member: tarfile.TarInfo, digest: str, *, manifest: bool) -> Iterator[bytes]:
        content = self.archive.extractfile(member)
        if content is None:
            raise unusable(f"{member.name} is no file")
        blob = Blob(Joined(_chunks(content)), member.size, keep=manifest and member.size <= LARGEST_MANIFEST)
        while chunk := blob.read(_CHUNK_BYTES):
            yield chunk
        if not blob.is_whole(digest):
            raise unusable(f"{digest} has other content, or is cut off")
        if manifest:
            data = blob.all()
            if absent := set(needs(data)) - self.index.blobs.keys() - set(self.index.missing):
                raise unusable(f"the manifest {digest} needs {min(absent)}, which is not in it")
            self._layers[digest] = tuple(layers(data, self.index.manifests))


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    try:
        while chunk := content.read(_CHUNK_BYTES):
            yield chunk
    except (tarfile.TarError, EOFError) as error:
        raise unusable("it is cut off") from error


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member.tobuf(tarfile.GNU_FORMAT)
