"""Which tags to show, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Literal

from devreg.model.listing import Tag
from devreg.model.since import moment

Order = Literal["created", "name", "size", "semver"]


def matching(names: Iterable[str], pattern: str | None) -> Iterator[str]:
    """The names that match the glob `pattern`; all without one."""
    return (name for name in names if pattern is None or fnmatchcase(name, pattern))


def select(
    tags: Iterable[Tag],
    *,
    sort: Order = "created",
    reverse: bool = False,
    since: datetime | None = None,
    limit: int | None = None,
    version_key: Callable[[str], Any],
) -> list[Tag]:
    """The tags that were made after `since`, sorted, and no more than `limit`.

    The newest, the biggest and the highest version come first, names ascend; `reverse` turns that round. Tags of which
    it is not known come last either way, by name. `version_key`: what to compare a name as a version by, None for one
    that is none. Tags that could not be read stay whatever `since` says: they may be new.
    """
    orders: dict[Order, Callable[[Tag], Any]] = {
        "created": lambda tag: moment(tag.created),
        "name": lambda tag: natural(tag.name) if tag.name else None,
        "size": lambda tag: tag.size,
        "semver": lambda tag: version_key(tag.name),
    }
    kept = [tag for tag in tags if since is None or tag.error or _made_after(tag, since)]
    return _sorted(kept, orders[sort], descending=(sort != "name") != reverse)[:limit]


def natural(name: str) -> list[tuple[str, int, str]]:
    """To sort names as people do: numbers in them by their value, `b9` before `b10`."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return [(text, len(digits.lstrip("0")), digits.lstrip("0")) for text, digits in parts]


def _sorted(tags: Sequence[Tag], key: Callable[[Tag], Any], *, descending: bool) -> list[Tag]:
    """Those without a key last. Among equals it goes by name, then by repository; a row without a name is the last."""
    by_name = sorted(tags, key=lambda tag: (not tag.name, natural(tag.name), tag.name, natural(tag.repository)))
    known = [tag for tag in by_name if key(tag) is not None]
    unknown = [tag for tag in by_name if key(tag) is None]
    return [*sorted(known, key=key, reverse=descending), *unknown]


def _made_after(tag: Tag, since: datetime) -> bool:
    time = moment(tag.created)
    return time is not None and time >= since
