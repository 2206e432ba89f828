"""Who may write to the registry, and where. A change is effective with the next request; nothing is restarted."""

from __future__ import annotations

from collections.abc import Callable

from devreg.actions.serving.server_files import ServerFiles, catch_up, put_in_force
from devreg.host.files import locked
from devreg.host.state import state_folder
from devreg.model.errors import ServerError
from devreg.model.server import ServerFile
from devreg.server import htpasswd, push_rules

_TRIES = 50
_LOCK = "users.lock"


def names(files: ServerFiles) -> tuple[str, ...]:
    """The users, sorted. Raises ServerError when the server is not there."""
    return htpasswd.users(text(files))


def rules(files: ServerFiles) -> dict[str, tuple[str, ...]]:
    """The globs of the repositories that users may push to; who is not in it may push everywhere."""
    return htpasswd.rules(files.read(ServerFile.USERS))


def add(files: ServerFiles, name: str, password: str, push: tuple[str, ...] | None = None) -> bool:
    """Add a user, or give one a new password. True when the user is new. Raises UsageError, ServerError.

    `push`: globs of the repositories that the user may push to; None for all, or as it was for a user who is known.
    """
    htpasswd.check(name, password)
    push_rules.check(push or ())

    def change(text: str) -> str:
        changed = htpasswd.with_user(text, name, password)
        return changed if push is None else htpasswd.with_rules(changed, name, push)

    return name not in htpasswd.users(_change(files, change))


def text(files: ServerFiles) -> str:
    """The users, their rules and their passwords' hashes. Raises ServerError when the server is not there."""
    return files.read(ServerFile.USERS)


def replace_all(files: ServerFiles, text: str) -> None:
    """Have the users of `text`, and no others. Raises ServerError when the server does not run."""
    _exchange(files, lambda _before: text)


def set_password(files: ServerFiles, name: str, password: str) -> None:
    """Give a user a new password. Raises NotFound when there is no such user, UsageError, ServerError."""
    htpasswd.check(name, password)

    def change(text: str) -> str:
        htpasswd.known(text, name)
        return htpasswd.with_user(text, name, password)

    _change(files, change)


def allow(files: ServerFiles, name: str, push: tuple[str, ...] | None) -> bool:
    """Let a user push to these repositories (globs) and no others, for None to all. False when it is so already.

    Raises NotFound when there is no such user, UsageError, ServerError.
    """
    push_rules.check(push or ())
    before = _change(files, lambda text: htpasswd.with_rules(text, name, push))
    return htpasswd.rules(before).get(name) != push


def remove(files: ServerFiles, name: str) -> None:
    """Remove a user. Raises NotFound when there is no such user, ServerError when the server does not run."""
    _change(files, lambda text: htpasswd.without_user(text, name))


def first(files: ServerFiles, name: str, password: str | None) -> tuple[bool, str | None]:
    """Add `name` unless there are users: whether it was added, and the password if it was generated."""
    if names(files):
        return False, None
    generated = None if password is not None else htpasswd.generated_password()
    add(files, name, password if password is not None else generated or "")
    return True, generated


def _change(files: ServerFiles, change: Callable[[str], str]) -> str:
    """As `_exchange`, where the users count at all. Raises ServerError."""
    if service := files.choices.external_auth:
        raise ServerError(
            f"{service} says who may push, not the registry's own users",
            hint="make the change there, or `devreg registry up --external-auth off`",
        )
    return _exchange(files, change)


def _exchange(files: ServerFiles, change: Callable[[str], str]) -> str:
    """Change the users' file, again if somebody else did so meanwhile; gives the text before. Raises ServerError.

    The rules go first: nobody is let in who is not yet held to them. They go again by what is there in the end, which
    another devreg (on another machine, or another user's) may have changed.
    """
    with locked(state_folder() / _LOCK):
        for _ in range(_TRIES):
            before = files.read(ServerFile.USERS)
            after = change(before)
            _enforce(files, after)
            if files.replace(ServerFile.USERS, before, after):
                _enforce(files, files.read(ServerFile.USERS))
                return before
    raise _busy()


def _enforce(files: ServerFiles, text: str) -> None:
    """Have nginx go by the rules in an htpasswd file, unless it does. Raises ServerError."""
    wanted = push_rules.nginx_map(text)
    for _ in range(_TRIES):
        there = files.read(ServerFile.RULES)
        if there == wanted:
            catch_up(files)
            return
        put_in_force(files, ServerFile.RULES, there, wanted)
    raise _busy()


def _busy() -> ServerError:
    return ServerError("the users are being changed all the time", hint="run the command again")
