"""Which files make up a service of systemd, and in which order it reads them: see systemd.unit(5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

# The highest first. Where /lib is no link to /usr/lib, it comes first (`systemd-path systemd-search-system-unit`).
SYSTEM_FOLDERS = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
)


def unit_files(unit: str, folders: Sequence[str]) -> list[Path]:
    """The fragment of a service, if there is one, then its drop-ins: what is read later adds to or resets the earlier.

    `folders`: where units are looked for, the highest first. The fragment of the highest one counts. Drop-ins of all
    folders are read in the order of their names, and of one name only the highest: one in any folder's own folder of
    the unit before one of `service.d`, which is for every service. It may be empty or a link to /dev/null, and masks
    the others all the same.
    """
    names = list(_names(unit))
    of_the_unit = [Path(folder, f"{name}.d") for folder in folders for name in names]
    of_all = [Path(folder, "service.d") for folder in folders]
    dropins: dict[str, Path] = {}
    for folder in (*of_the_unit, *of_all):
        for path in _dropins(folder):
            dropins.setdefault(path.name, path)
    return [*_fragment(unit, folders), *(dropins[name] for name in sorted(dropins))]


def _fragment(unit: str, folders: Sequence[str]) -> list[Path]:
    """One path, or none; the template is for instances that have no file of their own."""
    template = unit[: unit.find("@") + 1] + unit[unit.rfind(".") :] if "@" in unit else unit
    paths = [Path(folder, name) for name in (unit, template) for folder in folders]
    return [path for path in paths if _is_there(path)][:1]


def _names(unit: str) -> Iterator[str]:
    """Whose drop-ins a unit gets: a-b@c.service those of a-b@c, a-b@, a-@c and a-@ too."""
    stem, _, kind = unit.rpartition(".")
    prefix, at, instance = stem.partition("@")
    dashes = [place for place, letter in enumerate(prefix[:-1]) if letter == "-" and place > 0]
    for each in (prefix, *(prefix[: place + 1] for place in reversed(dashes))):
        yield f"{each}{at}{instance}.{kind}"
        if instance:
            yield f"{each}@.{kind}"


def _dropins(folder: Path) -> list[Path]:
    """Whatever has such a name masks others, also what is no file (measured on systemd 252)."""
    try:
        return [path for path in folder.iterdir() if path.suffix == ".conf" and not path.name.startswith(".")]
    except OSError:
        return []


def _is_there(path: Path) -> bool:
    """A link to /dev/null is: it masks the unit."""
    try:
        return path.exists() and not path.is_dir()
    except OSError:
        return False
