"""The options and arguments that commands share."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from devreg.model.address import Address
from devreg.model.errors import UsageError
from devreg.model.reference import Destination, Reference
from devreg.output import console
from devreg.settings import Settings

if TYPE_CHECKING:
    from devreg.model.server import ServerImages

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="REGISTRY[/PREFIX]", help="Where to, whatever the name says.", show_default=False),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Registry = Annotated[
    str | None,
    typer.Option(
        "--registry", "-r", metavar="ADDRESS", help="The registry meant when none is named.", show_default=False
    ),
]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]

# The exit code after a "no": as after Ctrl-C, so that `devreg … && next` does not go on.
DECLINED = 130
_UNTOUCHED = "nothing was changed"

settings = Settings()


def timeout(flag: float | None = None) -> float:
    """Seconds to wait for an answer of a registry. Raises UsageError for what is no time."""
    return float(settings.get("timeout", None if flag is None else str(flag)).value)


def default_registry(flag: str | None) -> Address:
    """The registry that is meant when none is named. Raises UsageError."""
    return Address.parse(settings.get("registry", flag).value)


def default_destination(flag: str | None) -> Destination:
    """Where names without a registry belong. Raises UsageError."""
    return Destination.parse(settings.get("registry", flag).value)


def destination(to: str | None) -> Destination | None:
    """What `--to` says. Raises UsageError."""
    return None if to is None else Destination.parse(to)


def server_images() -> ServerImages:
    """The images of the registry server that the settings name. Raises UsageError for what is no name of an image."""
    from devreg.model.server import ServerImages

    names = [settings.get(key).value for key in ("registry_image", "nginx_image")]
    for name in names:
        Reference.parse(name)
    return ServerImages(*names)


def own_name() -> str:
    """What to call this machine's user in a registry; `admin` for a process whose user has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "admin"


def agreed(question: str, yes: bool) -> None:
    """Ask on a terminal; elsewhere `--yes` has to have been given.

    Raises UsageError without either, Exit for a no, Abort for Ctrl-C instead of an answer.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody can answer here.", hint="give --yes to go on without being asked")
    try:
        answer = typer.confirm(question, err=True)
    except (typer.Abort, KeyboardInterrupt):
        console.note("")  # the line of the question ends
        raise typer.Abort(_UNTOUCHED) from None
    if not answer:
        console.note(_UNTOUCHED)
        raise typer.Exit(DECLINED)


def asked(prompt: str, option: str) -> str:
    """A line typed on a terminal. Raises UsageError without one, naming the option to give instead."""
    if not sys.stdin.isatty():
        raise UsageError(f"no terminal to ask on: {prompt.lower()}?", hint=f"give {option}")
    return str(typer.prompt(prompt, err=True))


def password(from_stdin: bool, prompt: str, *, twice: bool = False) -> str:
    """A password from standard input's first line, or typed unseen. Raises UsageError when neither is possible."""
    if from_stdin:
        try:
            return sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise UsageError("the password is not UTF-8", hint="write it to stdin in UTF-8") from error
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask for the password on", hint="give --password-stdin and write it to stdin")
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))
