"""Flags that dockerd will get at its next start, as the unit's files or the init script's settings say now.

The running dockerd's command line does not show a drop-in that was written since, nor does systemd before it is told to
read its files again. What is read: the unit's fragment and drop-ins, where an empty `ExecStart=` drops the ones before
it, see systemd.service(5); the variables that they take their words from; /etc/default/docker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from devreg.host.env_file import variables
from devreg.host.unit_paths import SYSTEM_FOLDERS, unit_files
from devreg.host.unit_syntax import Line, is_text, service_lines, words

__all__ = ["Line", "command", "places"]

_INIT_SETTINGS = Path("/etc/default/docker")


def places(flag: str, unit: str | None) -> tuple[Line, ...]:
    """Where `flag`, such as `--insecure-registry`, is given to dockerd at its next start.

    `unit`: its systemd unit; None for dockerds that systemd does not start, of which only the init script's settings
    can be known.
    """
    given = command(unit, SYSTEM_FOLDERS) if unit else ((value, line) for _, value, line in variables(_INIT_SETTINGS))
    return tuple(line for text, line in given if _gives(text, flag))


def command(unit: str, folders: Sequence[str]) -> Iterator[tuple[str, Line]]:
    """What the files of a unit give to the command that starts it, and where: its own words, and its variables.

    `folders`: where systemd looks for units, the highest first. A variable counts wherever its name stands behind a
    dollar sign, also where only a shell in the command would look it up. Specifiers such as %n are left as they are.
    """
    starts: list[tuple[str, Line]] = []
    assigned: list[tuple[str, str, Line]] = []
    files: list[str] = []
    for key, value, line in (each for file in unit_files(unit, folders) for each in service_lines(file)):
        if key == "ExecStart":
            starts = [*starts, (value, line)] if value else []
        elif key == "Environment":
            assigned = [*assigned, *_assigned(value, line)] if value else []
        elif key == "EnvironmentFile":
            files = [*files, value] if value else []
    # Whatever their order in the unit, files win: see systemd.exec(5).
    known = {name: (value, line) for name, value, line in (*assigned, *_of_files(files))}
    for text, line in starts:
        yield text, line
        yield from (known[name] for name in re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", text) if name in known)


def _assigned(value: str, line: Line) -> Iterator[tuple[str, str, Line]]:
    for word in words(value):
        name, sign, text = word.partition("=")
        if sign:
            yield name, text, line


def _of_files(patterns: list[str]) -> Iterator[tuple[str, str, Line]]:
    """A dash allows a file to be missing. Of a file that is not all UTF-8 systemd takes nothing."""
    import glob

    for pattern in (each.removeprefix("-") for each in patterns):
        # Unlike Path.glob it leaves hidden files out, as systemd does.
        for path in sorted(glob.glob(pattern)) if pattern.startswith("/") else ():  # noqa: PTH207
            found = list(variables(Path(path)))
            if all(is_text(line.text) for _, _, line in found):
                yield from found


def _gives(text: str, flag: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text) is not None
