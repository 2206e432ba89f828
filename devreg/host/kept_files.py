"""Files with their rights and owners: as they are, and as they are to be again."""

from __future__ import annotations

import hashlib
import os
import stat
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devreg.host import files
from devreg.model.errors import ConfigUnusable, ServerError


@dataclass(frozen=True)
class Kept:
    """A file: its content, its permissions, the numbers of its owner and group."""

    content: bytes = field(repr=False)
    mode: int = 0o644
    owner: int = 0
    group: int = 0

    @property
    def digest(self) -> str:
        """The SHA-256 of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def plain(self) -> dict[str, Any]:
        """As JSON has it. `of_plain` reads it."""
        return {**vars(self), "content": b64encode(self.content).decode()}

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Kept:
        """What `plain` gave. Raises KeyError, TypeError and ValueError for anything else."""
        content = b64decode(plain["content"], validate=True)
        return cls(content, int(plain["mode"]), int(plain["owner"]), int(plain["group"]))


def look(path: Path) -> Kept | None:
    """The file as it is now; None for none. Raises ConfigUnusable when it cannot be read."""
    content = files.read(path)
    if content is None:
        return None
    about = path.stat()
    return Kept(content, stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid)


def put(path: Path, kept: Kept | None) -> None:
    """Make the file so; None: no file. Raises ConfigUnusable; the content is then as it was."""
    if kept is None:
        files.remove(path)
        return
    if look(path) == kept:
        return
    files.write_atomic(path, kept.content, mode=kept.mode)
    try:
        os.chown(path, kept.owner, kept.group)
    except OSError as error:
        raise ConfigUnusable(f"could not give {path} its owner: {error.strerror}", hint="run it as root") from error


def group_id(name: str) -> int:
    """The number of a group of this machine. Raises ServerError."""
    import grp  # where there is none (Windows), this module can still be imported

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise ServerError(f"this machine has no group {name}", hint="see `user` in nginx.conf") from error
