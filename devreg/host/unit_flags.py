"""Flags that dockerd will get at its next start, as the unit's files or the init script's settings say now.

The running dockerd's command line does not show a drop-in that was written since. What is read: the unit's fragment and
drop-ins in systemd's order, where an empty `ExecStart=` drops the ones before it, see systemd.service(5); the variables
that they take their words from; /etc/default/docker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devreg.host.run import CommandFailed, run

_FOLDERS = ("/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/system", "/etc/systemd/system")
_INIT_SETTINGS = Path("/etc/default/docker")
_SECONDS = 30
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True)
class Line:
    """A logical line of a settings file, continued lines joined. `number` counts from 1."""

    file: Path
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.number}"


def places(flag: str, unit: str | None) -> tuple[Line, ...]:
    """Where `flag`, such as `--insecure-registry`, is given to dockerd at its next start.

    `unit`: its systemd unit; None for dockerds that systemd does not start, of which only the init script's settings
    can be known.
    """
    if unit is None:
        return tuple(line for line in _lines(_INIT_SETTINGS) if _gives(line.text, flag) and "=" in line.text)
    return tuple(_unit_places(flag, _unit_files(unit)))


def _unit_places(flag: str, files: list[Path]) -> Iterator[Line]:
    starts: list[Line] = []
    variables: dict[str, Line] = {}
    for line in (line for file in files for line in _lines(file)):
        key, _, value = (part.strip() for part in line.text.partition("="))
        if key == "ExecStart":
            starts = [*starts, line] if value else []
        elif key == "Environment":
            variables.update(dict.fromkeys(re.findall(r"(\w+)=", value), line))
        elif key == "EnvironmentFile":
            for each in _lines(Path(value.removeprefix("-"))):
                variables[each.text.partition("=")[0].strip()] = each
    for start in starts:
        if _gives(start.text, flag):
            yield start
        for name in _VARIABLE.findall(start.text):
            if name in variables and _gives(variables[name].text, flag):
                yield variables[name]


def _gives(text: str, flag: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text) is not None


def _unit_files(unit: str) -> list[Path]:
    """The fragment, then the drop-ins by name; of two of one name the one in the later folder counts."""
    fragment = _fragment(unit)
    dropins = {path.name: path for folder in _FOLDERS for path in sorted(Path(folder, f"{unit}.d").glob("*.conf"))}
    return ([fragment] if fragment else []) + [dropins[name] for name in sorted(dropins)]


def _fragment(unit: str) -> Path | None:
    try:
        told = run(["systemctl", "show", unit, "--property=FragmentPath", "--value"], timeout=_SECONDS).stdout.strip()
    except CommandFailed:
        return None
    return Path(told) if told else None


def _lines(file: Path) -> Iterator[Line]:
    """The lines that are no comments; a line that ends with a backslash goes on in the next."""
    try:
        physical = file.read_text(errors="replace").splitlines()
    except OSError:
        return
    begun, text = 1, ""
    for number, line in enumerate(physical, 1):
        begun, text = (begun, text + line) if text else (number, line)
        if text.endswith("\\"):
            text = f"{text[:-1]} "
            continue
        if text.strip() and not text.lstrip().startswith(("#", ";")):
            yield Line(file, begun, text)
        text = ""
