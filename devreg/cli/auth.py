"""`devreg login`, `devreg logout`."""

from __future__ import annotations

from typing import Annotated

import typer

from devreg.cli.options import Json, PasswordStdin, asked, default_registry, password, timeout
from devreg.model.credentials import Credentials
from devreg.output import console, document

Where = Annotated[str | None, typer.Argument(metavar="ADDRESS", help="The registry.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    app.command()(login)
    app.command()(logout)


def login(
    address: Where = None,
    username: Annotated[str | None, typer.Option("--username", "-u", metavar="NAME", help="The user.")] = None,
    password_stdin: PasswordStdin = False,
    as_json: Json = False,
) -> None:
    """Log in to a registry.

    Proven by beginning and cancelling an upload, then stored where Docker looks.
    """
    from devreg.actions import login as action
    from devreg.output.progress import reporting

    registry = default_registry(address)
    user = asked("User name", "-u NAME") if username is None else username
    secret = password(password_stdin, f"Password for {user} at {registry}")
    with reporting() as listener:
        done = action.login(registry, Credentials(user, secret), timeout=timeout(), listener=listener)
    if as_json:
        document.success("login", done, changed=True)
    else:
        console.result(f"logged in to {done.address} as {done.username}; kept in {done.stored}")


def logout(address: Where = None, as_json: Json = False) -> None:
    """Forget the credentials of a registry."""
    from devreg.actions import login as action

    registry = default_registry(address)
    changed = action.logout(registry)
    if as_json:
        document.success("logout", {"address": str(registry)}, changed=changed)
    else:
        console.result(f"logged out of {registry}" if changed else f"no credentials were stored for {registry}")
