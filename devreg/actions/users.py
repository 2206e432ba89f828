"""Who may write to the registry. A change is effective with the next request; nothing is restarted."""

from __future__ import annotations

from devreg.engine import containers
from devreg.engine.client import Engine
from devreg.engine.containers import Found
from devreg.model.errors import ServerError
from devreg.server import htpasswd
from devreg.server.definition import NGINX_GID, USERS_FILE


def names(engine: Engine) -> tuple[str, ...]:
    """The users, sorted. Raises ServerError when the server is not there."""
    return htpasswd.users(_read(engine, _nginx(engine)))


def add(engine: Engine, name: str, password: str) -> bool:
    """Add a user, or give one a new password. True when the user is new. Raises UsageError, ServerError."""
    nginx = _running(engine)
    text = _read(engine, nginx)
    _write(engine, nginx, htpasswd.with_user(text, name, password))
    return name not in htpasswd.users(text)


def remove(engine: Engine, name: str) -> None:
    """Remove a user. Raises NotFound when there is no such user, ServerError when the server does not run."""
    nginx = _running(engine)
    _write(engine, nginx, htpasswd.without_user(_read(engine, nginx), name))


def first(engine: Engine, name: str, password: str | None) -> tuple[bool, str | None]:
    """Add `name` unless there are users: whether it was added, and the password if it was generated."""
    if names(engine):
        return False, None
    generated = None if password is not None else htpasswd.generated_password()
    add(engine, name, password if password is not None else generated or "")
    return True, generated


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


def _read(engine: Engine, nginx: Found) -> str:
    return containers.read(engine, nginx.id, USERS_FILE) or ""


def _write(engine: Engine, nginx: Found, text: str) -> None:
    containers.write(engine, nginx.id, USERS_FILE, text, gid=NGINX_GID)
