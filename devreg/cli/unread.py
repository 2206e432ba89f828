"""What could not be read of a list: the errors in the JSON document, and how the command ends."""

from __future__ import annotations

from collections.abc import Sequence

from devreg.model.errors import DevregError, PartlyDone

_AGAIN = "run the command again"
_NAMED = 5

Unread = Sequence[tuple[str, str]]
"""Names, and why each could not be read."""


def errors(unread: Unread) -> list[DevregError]:
    """An error for each."""
    return [PartlyDone(f"{name}: {why}", hint=_AGAIN) for name, why in unread]


def end(unread: Unread) -> None:
    """Nothing where all was read. Raises PartlyDone, exit code 1, that names the first few."""
    if not unread:
        return
    names = ", ".join(name for name, _ in unread[:_NAMED])
    more = f" and {len(unread) - _NAMED} more" if len(unread) > _NAMED else ""
    raise PartlyDone(f"could not read {names}{more}: {unread[0][1]}", hint=_AGAIN)
