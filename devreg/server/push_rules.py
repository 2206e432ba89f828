"""Which repositories a user may push to: globs, kept with the user in the htpasswd file, obeyed by nginx.

A line of htpasswd may have a comment after a second colon, which nginx passes over: `alice:$2y$…:push=team/*,app`. A
user without one may push everywhere. nginx goes by a `map` that is made from these lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from devreg.model.errors import UsageError

_MARK = "push="
# What repositories are named with, and two wildcards of fnmatch: nothing that nginx or htpasswd would take for more.
_GLOB = re.compile(r"[a-z0-9*?][a-z0-9._/*?-]{0,254}")


def check(globs: Iterable[str]) -> None:
    """Raise UsageError for a glob that no repository's name could match."""
    for glob in globs:
        if not _GLOB.fullmatch(glob) or "//" in glob or glob.endswith("/"):
            raise UsageError(
                f"{glob!r} cannot be the name of a repository, or a pattern of such names",
                hint="write names such as team/app, with * for any characters and ? for one, without registry and tag",
            )


def comment(globs: tuple[str, ...]) -> str:
    """What goes after the second colon of a user's line. Raises UsageError as `check` does."""
    check(globs)
    return _MARK + ",".join(globs)


def of(line: str) -> tuple[str, ...] | None:
    """The globs in a user's line; None when there is no rule, so that the user may push everywhere."""
    _, _, rest = line.partition(":")
    _, _, rule = rest.partition(":")
    return tuple(rule.removeprefix(_MARK).split(",")) if rule.startswith(_MARK) else None


def nginx_map(htpasswd: str) -> str:
    """The lines of nginx's `map "USER:REPOSITORY"` for the users who have rules; empty when nobody has.

    The first pattern that matches decides. Without a repository only the password was asked about.
    """
    lines = []
    for line in htpasswd.splitlines():
        globs = of(line)
        if globs is not None:
            user = _literal(line.partition(":")[0])
            lines += [f'"~^{user}:{_pattern(glob)}$" 1;' for glob in globs]
            lines.append(f'"~^{user}:." 0;')
    return "".join(f"{each}\n" for each in lines)


def _pattern(glob: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(letter, _literal(letter)) for letter in glob)


def _literal(text: str) -> str:
    """Names of users and repositories have one letter that means something in a pattern: the dot."""
    return text.replace(".", "[.]")
