"""Who may write to the registry. A change is effective with the next request; nothing is restarted."""

from __future__ import annotations

from collections.abc import Callable

from devreg.actions.users_file import UsersFile
from devreg.model.errors import ServerError
from devreg.server import htpasswd

_TRIES = 50


def names(file: UsersFile) -> tuple[str, ...]:
    """The users, sorted. Raises ServerError when the server is not there."""
    return htpasswd.users(file.read())


def add(file: UsersFile, name: str, password: str) -> bool:
    """Add a user, or give one a new password. True when the user is new. Raises UsageError, ServerError."""
    htpasswd.check(name, password)
    before = _change(file, lambda text: htpasswd.with_user(text, name, password))
    return name not in htpasswd.users(before)


def remove(file: UsersFile, name: str) -> None:
    """Remove a user. Raises NotFound when there is no such user, ServerError when the server does not run."""
    _change(file, lambda text: htpasswd.without_user(text, name))


def first(file: UsersFile, name: str, password: str | None) -> tuple[bool, str | None]:
    """Add `name` unless there are users: whether it was added, and the password if it was generated."""
    if names(file):
        return False, None
    generated = None if password is not None else htpasswd.generated_password()
    add(file, name, password if password is not None else generated or "")
    return True, generated


def _change(file: UsersFile, change: Callable[[str], str]) -> str:
    """Change the file, again if somebody else did so meanwhile; gives the text before. Raises ServerError."""
    for _ in range(_TRIES):
        before = file.read()
        if file.replace(before, change(before)):
            return before
    raise ServerError("the users are being changed all the time", hint="run the command again")
