"""`devreg registry user`: who may push to the registry server."""

from __future__ import annotations

from typing import Annotated

import typer

from devreg.cli.options import Json, PasswordStdin, password
from devreg.model.errors import UsageError
from devreg.output import console, document

app = typer.Typer(help="Who may push.", no_args_is_help=True, rich_markup_mode=None)

UserName = Annotated[str, typer.Argument(metavar="NAME", help="The user.")]


@app.command("list")
def list_users(as_json: Json = False) -> None:
    """The users who may push."""
    from devreg.actions import server_runtime, users

    names = users.names(server_runtime.present().users_file)
    if as_json:
        document.success("registry user list", {"users": names})
    else:
        for name in names:
            console.result(name)


@app.command("add")
def add_user(name: UserName, password_stdin: PasswordStdin = False, as_json: Json = False) -> None:
    """Add a user, or give one a new password. Effective at once."""
    from devreg.actions import server_runtime, users

    secret = password(password_stdin, f"New password for {name}", twice=True)
    if not secret:
        raise UsageError("the password is empty", hint="write it to standard input: `… --password-stdin < FILE`")
    new = users.add(server_runtime.present().users_file, name, secret)
    if as_json:
        document.success("registry user add", {"user": name, "new": new}, changed=True)
    else:
        console.result(f"added {name}" if new else f"{name} has a new password")


@app.command("remove")
def remove_user(name: UserName, as_json: Json = False) -> None:
    """Remove a user. Effective at once."""
    from devreg.actions import server_runtime, users

    users.remove(server_runtime.present().users_file, name)
    if as_json:
        document.success("registry user remove", {"user": name}, changed=True)
    else:
        console.result(f"removed {name}")
