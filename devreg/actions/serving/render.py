"""`devreg registry render`: the server's files for those who run it themselves, never over what somebody has edited."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from devreg.host.files import backup, read, write_atomic
from devreg.host.state import state_folder
from devreg.model.errors import ConfigUnusable, RefusedOverwrite
from devreg.model.rendered import File, Site, Target, untouched
from devreg.server import targets

State = Literal["new", "unchanged", "changed", "edited"]


@dataclass(frozen=True)
class Change:
    """A file to write. `state`: of the one that is there: `changed` by a newer definition, or `edited` by somebody;
    `diff`: from that to the new one, in unified form."""

    path: Path
    state: State
    text: str
    diff: str = ""


def rendered(target: Target, site: Site) -> tuple[File, ...]:
    """The files. Raises UsageError for what the target cannot do."""
    site.check(target)
    return targets.files(target, site)


def plan(files: Iterable[File], folder: Path) -> tuple[Change, ...]:
    """What writing the files into a folder would change. Raises ConfigUnusable for a file that cannot be read."""
    return tuple(_change(folder / file.name, file.stamped) for file in files)


def placed(files: Iterable[File]) -> tuple[Change, ...]:
    """What writing the files where they belong on this machine would change. Raises ConfigUnusable as `plan` does."""
    return tuple(_change(Path(file.place), file.stamped) for file in files if file.place)


def refuse_edited(changes: Iterable[Change], *, force: bool, tell: Callable[[str], object]) -> None:
    """Tell what would become of files that somebody has edited. Raises RefusedOverwrite unless that is wanted."""
    edited = [each for each in changes if each.state == "edited"]
    for each in edited:
        tell(each.diff)
    if edited and not force:
        raise RefusedOverwrite(
            f"{', '.join(str(each.path) for each in edited)}: edited since devreg wrote it, or not devreg's",
            hint="above is what would change: --force does it, and keeps a copy",
        )


def write(changes: Sequence[Change]) -> bool:
    """Write them; of an edited file a copy is kept in devreg's state folder. Whether anything was different.

    Raises ConfigUnusable.
    """
    work = [each for each in changes if each.state != "unchanged"]
    for each in work:
        if each.state == "edited":
            backup(each.path, state_folder() / "rendered")
        write_atomic(each.path, each.text.encode())
    return bool(work)


def _change(path: Path, text: str) -> Change:
    try:
        there = None if (content := read(path)) is None else content.decode()
    except UnicodeDecodeError as error:
        raise ConfigUnusable(f"{path} is no text", hint="remove it, or render into another folder") from error
    if there is None:
        return Change(path, "new", text)
    if there == text:
        return Change(path, "unchanged", text)
    lines = difflib.unified_diff(
        there.splitlines(keepends=True), text.splitlines(keepends=True), str(path), f"{path} (new)"
    )
    return Change(path, "changed" if untouched(there) else "edited", text, "".join(lines))
