"""Who may write to the registry, and where. A change is effective with the next request; nothing is restarted."""

from __future__ import annotations

from collections.abc import Callable

from devreg.engine import containers, nginx
from devreg.engine.client import Engine
from devreg.engine.containers import Found
from devreg.host.files import locked
from devreg.host.state import state_folder
from devreg.model.errors import ServerError
from devreg.model.server_choices import Choices
from devreg.server import htpasswd, push_rules
from devreg.server.definition import NGINX_GID, RULES_FILE, USERS_FILE

_TRIES = 50
_LOCK = "users.lock"


def names(engine: Engine) -> tuple[str, ...]:
    """The users, sorted. Raises ServerError when the server is not there."""
    return htpasswd.users(_text(engine))


def rules(engine: Engine) -> dict[str, tuple[str, ...]]:
    """The globs of the repositories that users may push to; who is not in it may push everywhere."""
    return htpasswd.rules(_text(engine))


def add(engine: Engine, name: str, password: str, push: tuple[str, ...] | None = None) -> bool:
    """Add a user, or give one a new password. True when the user is new. Raises UsageError, ServerError.

    `push`: globs of the repositories that the user may push to; None for all, or as it was for a user who is known.
    """
    htpasswd.check(name, password)
    push_rules.check(push or ())

    def change(text: str) -> str:
        changed = htpasswd.with_user(text, name, password)
        return changed if push is None else htpasswd.with_rules(changed, name, push)

    return name not in htpasswd.users(_change(engine, change))


def set_password(engine: Engine, name: str, password: str) -> None:
    """Give a user a new password. Raises NotFound when there is no such user, UsageError, ServerError."""
    htpasswd.check(name, password)

    def change(text: str) -> str:
        htpasswd.known(text, name)
        return htpasswd.with_user(text, name, password)

    _change(engine, change)


def allow(engine: Engine, name: str, push: tuple[str, ...] | None) -> bool:
    """Let a user push to these repositories (globs) and no others, for None to all. False when it is so already.

    Raises NotFound when there is no such user, UsageError, ServerError.
    """
    push_rules.check(push or ())
    before = _change(engine, lambda text: htpasswd.with_rules(text, name, push))
    return htpasswd.rules(before).get(name) != push


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
    """Change the file, again if somebody else did so meanwhile; gives the text before. Raises ServerError.

    The rules go first: nobody is let in who is not yet held to them. They go again by what is there in the end, which
    another devreg (on another machine, or another user's) may have changed.
    """
    container = _running(engine)
    with locked(state_folder() / _LOCK):
        for _ in range(_TRIES):
            before = containers.read(engine, container.id, USERS_FILE) or ""
            after = change(before)
            _enforce(engine, container, after)
            if containers.replace(engine, container.id, USERS_FILE, before, after, gid=NGINX_GID):
                _enforce(engine, container, _text(engine))
                return before
    raise _busy()


def _enforce(engine: Engine, container: Found, text: str) -> None:
    """Have nginx go by the rules in an htpasswd file, unless it does. Raises ServerError."""
    wanted, written = push_rules.nginx_map(text), False
    for _ in range(_TRIES):
        there = containers.read(engine, container.id, RULES_FILE) or ""
        if there == wanted:
            break
        written = containers.replace(engine, container.id, RULES_FILE, there, wanted, gid=NGINX_GID)
    else:
        raise _busy()
    if written:
        nginx.reload(engine, container.id)


def _busy() -> ServerError:
    return ServerError("the users are being changed all the time", hint="run the command again")


def _text(engine: Engine) -> str:
    return containers.read(engine, _nginx(engine).id, USERS_FILE) or ""


def _nginx(engine: Engine) -> Found:
    found = containers.find(engine).get("nginx")
    if found is None:
        raise ServerError("the registry server is not there", hint="`devreg registry up` starts it")
    return found


def _running(engine: Engine) -> Found:
    found = _nginx(engine)
    if not found.running:
        raise ServerError("the registry server does not run", hint="`devreg registry up` starts it")
    if service := Choices.of_text(found.choices).external_auth:
        raise ServerError(
            f"{service} says who may push, not the registry's own users",
            hint="make the change there, or `devreg registry up --external-auth off`",
        )
    return found
