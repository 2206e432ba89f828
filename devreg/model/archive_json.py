"""JSON that lies in an archive of images, read without trust."""

from __future__ import annotations

import json
from collections.abc import Callable

from devreg.model.errors import ArchiveUnusable

SMALL = 8 * 2**20
"""Bytes: what manifests, configs and indexes stay below. Registries take manifests of at most 4 MiB."""

_MOST = 8 * SMALL  # bytes of all of them together
_LONGEST = 500  # characters of a message


def damaged(fault: str) -> ArchiveUnusable:
    """The error for an archive that is not what it seems. Names in `fault` may be its own."""
    line = "".join(character if character.isprintable() else "�" for character in fault[:_LONGEST])
    error = ArchiveUnusable(
        f"the archive cannot be pushed: {line}", hint="make it again; nothing was pushed under a name"
    )
    error.fault = line
    return error


def read_json(body: bytes, what: str) -> object:
    """`body` as JSON. `what` names it in the ArchiveUnusable that is raised where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise damaged(f"{what} is not JSON") from None


def within_bounds(read: Callable[[str], bytes | None]) -> Callable[[str], bytes | None]:
    """`read`, which gives a file by its name, made to remember: an archive cannot make it fill the memory.

    The result raises ArchiveUnusable for more than a few dozen MiB in all.
    """
    had: dict[str, bytes | None] = {}

    def bounded(name: str) -> bytes | None:
        if name not in had:
            had[name] = read(name)
            if sum(map(len, filter(None, had.values()))) > _MOST:
                raise damaged(f"its manifests and configs have more than {_MOST} bytes together")
        return had[name]

    return bounded


def an_object(value: object, what: str) -> dict[str, object]:
    """`value`, or ArchiveUnusable where it is no object."""
    if not isinstance(value, dict):
        raise damaged(f"{what} is not a JSON object")
    return value


def a_list(value: object, what: str) -> list[object]:
    """`value`, nothing for null, or ArchiveUnusable where it is no list."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise damaged(f"{what} is not a list")
    return value


def a_text(value: object, what: str) -> str:
    """`value`, or ArchiveUnusable where it is no text."""
    if not isinstance(value, str):
        raise damaged(f"{what} is not a text")
    return value
