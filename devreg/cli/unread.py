"""What could not be read of a list: the errors in the JSON document, and how the command ends."""

from __future__ import annotations

from collections.abc import Sequence

from devreg.model.errors import DevregError, PartlyDone

_AGAIN = "run the command again; if it stays so, the registry's log tells more"
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
    names = few([name for name, _ in unread])
    raise PartlyDone(f"could not read {names}: {unread[0][1]}", hint=_AGAIN)


def few(names: Sequence[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
