"""What devreg keeps of registries, and forgetting it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from devreg.host.cache_file import CacheFile
from devreg.host.content_cache import ContentCache
from devreg.host.names_cache import NamesCache
from devreg.host.push_cache import PushCache
from devreg.model.errors import DevregError
from devreg.model.results import CacheCleared, CacheInfo, Kept


def info() -> CacheInfo:
    """The files that there are, and what is in them."""
    kept: list[Kept] = []
    folder: Path | None = None
    for what, file in _files():
        folder = file.path().parent
        if os.path.lexists(file.path()):
            kept.append(Kept(what, str(file.path()), file.entries(), _size(file)))
    return CacheInfo(None if folder is None else str(folder), tuple(kept))


def clear() -> CacheCleared:
    """Forget all of it. Other devreg that run meanwhile go on, and learn anew.

    Raises, once the rest is forgotten, ConfigUnusable for a file that cannot be emptied, and RefusedOverwrite for a
    link or a folder in the place of one.
    """
    entries = freed = 0
    faults: list[DevregError] = []
    for _, file in _files():
        if os.path.lexists(file.path()):
            known, before = file.entries(), _size(file)
            try:
                file.clear()
            except DevregError as error:
                faults.append(error)
            else:
                entries, freed = entries + known, freed + max(before - _size(file), 0)
    if faults:
        raise faults[0]
    return CacheCleared(entries, freed)


def _files() -> Iterator[tuple[str, CacheFile]]:
    """Each with what is in it; none where the user has no home."""
    caches = (
        ("manifests and configs", ContentCache().file),
        ("names for completion", NamesCache().file),
        ("layers and uploads of pushes", PushCache().file),
    )
    with suppress(FileNotFoundError):
        for what, file in caches:
            file.path()
            with closing(file):
                yield what, file


def _size(file: CacheFile) -> int:
    try:
        return file.path().lstat().st_size
    except OSError:  # another devreg has just replaced it
        return 0
