"""What the words of `devreg push` mean: images of the engine, archives, a pipe; and what each will be called."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devreg.actions.naming import Names, Target, archived_names, targets
from devreg.direct import archive
from devreg.direct.archive import InArchive
from devreg.model.errors import ArchiveUnusable, NotFound, UsageError

if TYPE_CHECKING:
    from devreg.engine.client import Engine

PIPE = "-"
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst", ".oci")
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{4,64}")
_SAVED = "make one with `docker save`, or with `docker buildx build --output type=oci`"


@dataclass(frozen=True)
class Source:
    """An image and a repository that it goes to. `word`: what the user calls it; `archived`: what an archive has of it,
    None for one of the engine and for one that comes through a pipe."""

    word: str
    target: Target
    archived: InArchive | None = None

    @property
    def is_archive(self) -> bool:
        """Whether no engine is needed for it."""
        return self.word == PIPE or self.archived is not None


def sources(word: str, names: Names, engine: Callable[[], Engine]) -> tuple[Source, ...]:
    """What a word means. Archives on disk are looked through; of the engine it is only asked what might be an id.

    Raises UsageError for what has no name, or none that can be used; ArchiveUnusable; EngineUnreachable.
    """
    if word == PIPE:
        if names.name is None:
            raise UsageError("what comes through a pipe has no name", hint="name it: --as NAME[:TAG]")
        return tuple(Source(word, target) for target in targets((), names))
    if is_path(word):
        return _archived(word, names)
    if names.name is None:
        _refuse_id(word, engine)
    return tuple(Source(word, target) for target in targets((word,), names))


def is_path(word: str) -> bool:
    """Whether a word means a file or folder: what cannot be an image's name, archives by their name, OCI layouts.

    For one that could be an image's name too, `./` before it makes it a path, and `:latest` after it an image.
    """
    path = Path(word)
    if word.startswith((".", "/", "~")) or word.endswith("/"):
        return True
    if word.endswith(_ARCHIVES):
        return ":" not in path.name or _exists(path)
    return _exists(path / "oci-layout")


def missing(word: str, error: NotFound) -> NotFound:
    """The error for an image that the engine has not; where something else is called so, with how that is pushed."""
    path = f"./{word}"
    return NotFound(error.message, hint=f"{path} is pushed as {path}") if _exists(Path(path)) else error


def refuse_same_name(found: Sequence[Source]) -> None:
    """Raise UsageError where two images would get one name: the first would be gone before anybody saw it."""
    called: dict[str, Source] = {}
    for source in found:
        for name in map(str, source.target.references):
            if name in called:
                first = called[name].word
                who = f"two images of {first}" if first == source.word else f"{first} and {source.word}"
                raise UsageError(f"{who} would both be {name}", hint="push them one by one, each with its own name")
            called[name] = source


def _archived(word: str, names: Names) -> tuple[Source, ...]:
    found = _looked_through(word)
    if names.name is not None and len(found) > 1:
        raise UsageError(f"{word} has {len(found)} images, which cannot have one name", hint="leave out --as")
    return tuple(Source(word, target, each) for each in found for target in _targets(word, each, names))


def _looked_through(word: str) -> tuple[InArchive, ...]:
    path = Path(word)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise ArchiveUnusable(
                f"{word} is neither a file nor a folder", hint="give what comes through a pipe to `devreg push -`"
            )
        return archive.images(path)
    except OSError as error:
        raise ArchiveUnusable(f"{word} cannot be read: {error.strerror or error}", hint=_SAVED) from error


def _targets(word: str, image: InArchive, names: Names) -> tuple[Target, ...]:
    try:
        return targets(archived_names(image.names) if names.name is None else (), names)
    except UsageError as error:
        if names.name is not None:
            raise
        raise UsageError(f"{word}: {error.message}", hint="name its image: --as NAME[:TAG]") from error


def _refuse_id(word: str, engine: Callable[[], Engine]) -> None:
    if not _ID.fullmatch(word):
        return
    from devreg.engine import images

    if images.is_id(engine(), word):
        raise UsageError(
            f"{word} is an image's id, not a name",
            hint=f"say what to call it: --as NAME[:TAG]; or name it first: `devreg tag {word} NAME:TAG`",
        )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long for a path, or in a folder that is closed to this user
        return False
