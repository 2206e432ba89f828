"""What a listing could not read: told row by row, in the document's errors, and by exit code 1 at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from devreg.model.errors import DevregError, PartlyDone

_AGAIN = "run the command again"
_NAMED = 5

Unread = Sequence[tuple[str, str]]
"""Names, and why each could not be read."""


def errors(unread: Iterable[tuple[str, str]]) -> list[DevregError]:
    """For the document's errors."""
    return [PartlyDone(f"{name}: {why}", hint=_AGAIN) for name, why in unread]


def end(unread: Unread) -> None:
    """Raise PartlyDone if there are any."""
    if unread:
        names = ", ".join(name for name, _ in unread[:_NAMED])
        more = f" and {len(unread) - _NAMED} more" if len(unread) > _NAMED else ""
        raise PartlyDone(f"could not read {names}{more}: {unread[0][1]}", hint=_AGAIN)
