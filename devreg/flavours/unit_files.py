"""Units of systemd as files: whether a service is installed, and with which flags it runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from devreg.host import files
from devreg.model.daemon_json import decode

_SYSTEM = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_USER = ("etc/systemd/user", "usr/lib/systemd/user")


def find(root: Path, names: Sequence[str], *, home: Path | None = None) -> Path | None:
    """The file of the first of the units that is installed; of those of a user's systemd where `home` is given."""
    folders = [root / folder for folder in (_SYSTEM if home is None else _USER)]
    if home is not None:
        folders.insert(0, home / ".config/systemd/user")
    return next((folder / name for name in names for folder in folders if (folder / name).exists()), None)


def flag(unit: Path, name: str) -> str | None:
    """The value of a flag in a unit and its drop-ins, the last one where there are several. Raises ConfigUnusable."""
    value = None
    for file in (unit, *sorted(Path(f"{unit}.d").glob("*.conf"))):
        text = decode(files.read(file) or b"", str(file))
        # k3s' installer puts each word into quotes and on a line of its own.
        for match in re.finditer(rf"""{re.escape(name)}['"]?(?:=|[\s\\]+)['"]?([^\s'"\\]+)""", text):
            value = match[1]
    return value
