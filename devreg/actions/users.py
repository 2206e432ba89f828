"""Who may write to the registry. A change is effective with the next request; nothing is restarted."""

from __future__ import annotations

from collections.abc import Callable

from devreg.engine import containers
from devreg.engine.client import Engine
from devreg.engine.containers import Found
from devreg.model.errors import ServerError
from devreg.server import htpasswd
from devreg.server.definition import NGINX_GID, USERS_FILE

_TRIES = 50


def names(engine: Engine) -> tuple[str, ...]:
    """The users, sorted. Raises ServerError when the server is not there."""
    return htpasswd.users(text(engine))


def add(engine: Engine, name: str, password: str) -> bool:
    """Add a user, or give one a new password. True when the user is new. Raises UsageError, ServerError."""
    htpasswd.check(name, password)
    before = _change(engine, lambda text: htpasswd.with_user(text, name, password))
    return name not in htpasswd.users(before)


def text(engine: Engine) -> str:
    """The users and their passwords' hashes. Raises ServerError when the server is not there."""
    return containers.read(engine, _nginx(engine).id, USERS_FILE) or ""


def replace_all(engine: Engine, text: str) -> None:
    """Have the users of `text`, and no others. Raises ServerError when the server does not run."""
    _change(engine, lambda _before: text)


def remove(engine: Engine, name: str) -> None:
    """Remove a user. Raises NotFound when there is no such user, ServerError when the server does not run."""
    _change(engine, lambda text: htpasswd.without_user(text, name))


def first(engine: Engine, name: str, password: str | None) -> tuple[bool, str | None]:
    """Add `name` unless there are users: whether it was added, and the password if it was generated."""
    if names(engine):
        return False, None
    generated = None if password is not None else htpasswd.generated_password()
    add(engine, name, password if password is not None else generated or "")
    return True, generated


def _change(engine: Engine, change: Callable[[str], str]) -> str:
    """Change the file, again if somebody else did so meanwhile; gives the text before. Raises ServerError."""
    nginx = _running(engine)
    for _ in range(_TRIES):
        before = containers.read(engine, nginx.id, USERS_FILE) or ""
        if containers.replace(engine, nginx.id, USERS_FILE, before, change(before), gid=NGINX_GID):
            return before
    raise ServerError("the users are being changed all the time", hint="run the command again")


def _nginx(engine: Engine) -> Found:
    found = containers.find(engine).get("nginx")
    if found is None:
        raise ServerError("the registry server is not there", hint="`devreg registry up` starts it")
    return found


def _running(engine: Engine) -> Found:
    nginx = _nginx(engine)
    if not nginx.running:
        raise ServerError("the registry server does not run", hint="`devreg registry up` starts it")
    return nginx
