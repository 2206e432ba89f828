"""`devreg registry user`: who may push to the registry server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from devreg.cli.options import Json, PasswordStdin, password
from devreg.model.errors import UsageError
from devreg.output import console, document

app = typer.Typer(help="Who may push.", no_args_is_help=True, rich_markup_mode=None)

UserName = Annotated[str, typer.Argument(metavar="NAME", help="The user.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="Read the password from a file.", show_default=False),
]


@app.command("list")
def list_users(as_json: Json = False) -> None:
    """The users who may push, and where, for those who may not push everywhere."""
    from devreg.actions.serving import server_runtime, users

    files = server_runtime.present().files
    names, rules = users.names(files), users.rules(files)
    if as_json:
        document.success("registry user list", {"users": names, "push": rules})
    else:
        for name in names:
            console.result(f"{name}\t{' '.join(rules[name])}" if name in rules else name)


@app.command("add")
def add_user(
    name: UserName,
    push: Annotated[
        list[str] | None,
        typer.Option(
            "--push",
            metavar="REPO",
            help="Where the user may push, as a name or a pattern such as 'team/*'; repeatable.",
            show_default="everywhere",
        ),
    ] = None,
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    as_json: Json = False,
) -> None:
    """Add a user, or give one a new password. Effective at once."""
    from devreg.actions.serving import server_runtime, users

    secret = _new_password(name, password_stdin, password_file)
    new = users.add(server_runtime.present().files, name, secret, tuple(push) if push else None)
    if as_json:
        document.success("registry user add", {"user": name, "new": new}, changed=True)
    else:
        console.result(f"added {name}" if new else f"{name} has a new password")


@app.command()
def passwd(
    name: UserName, password_stdin: PasswordStdin = False, password_file: PasswordFile = None, as_json: Json = False
) -> None:
    """Give a user a new password. Effective at once."""
    from devreg.actions.serving import server_runtime, users

    secret = _new_password(name, password_stdin, password_file)
    users.set_password(server_runtime.present().files, name, secret)
    if as_json:
        document.success("registry user passwd", {"user": name}, changed=True)
    else:
        console.result(f"{name} has a new password")


@app.command()
def rules(
    name: UserName,
    repositories: Annotated[
        list[str] | None,
        typer.Argument(metavar="REPO", help="Names or patterns such as 'team/*'.", show_default=False),
    ] = None,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="Take the user's rules away.")] = False,
    as_json: Json = False,
) -> None:
    """Say where a user may push: to these repositories and no others. Effective at once."""
    from devreg.actions.serving import server_runtime, users

    if everywhere is bool(repositories):
        raise UsageError("where may the user push?", hint="name repositories or patterns, or give --everywhere")
    push = tuple(repositories) if repositories else None
    changed = users.allow(server_runtime.present().files, name, push)
    if as_json:
        document.success("registry user rules", {"user": name, "push": push}, changed=changed)
    else:
        console.result(f"{name} may push {'everywhere' if push is None else 'to ' + ' '.join(push)}")


@app.command("remove")
def remove_user(name: UserName, as_json: Json = False) -> None:
    """Remove a user. Effective at once."""
    from devreg.actions.serving import server_runtime, users

    users.remove(server_runtime.present().files, name)
    if as_json:
        document.success("registry user remove", {"user": name}, changed=True)
    else:
        console.result(f"removed {name}")


def _new_password(name: str, from_stdin: bool, file: Path | None) -> str:
    """The password, typed twice or read. Raises UsageError."""
    if file is not None:
        from devreg.actions.declared_password import password_in

        if from_stdin:
            raise UsageError("--password-stdin and --password-file are two places", hint="give one of them")
        return password_in(file, name)
    secret = password(from_stdin, f"New password for {name}", twice=True)
    if not secret:
        raise UsageError("the password is empty", hint="write it to standard input: `… --password-stdin < FILE`")
    return secret
