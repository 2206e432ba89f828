"""The options and arguments that commands share."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from devreg.model.errors import UsageError
from devreg.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Registry = Annotated[
    str | None,
    typer.Option(
        "--registry", "-r", metavar="ADDRESS", help="The registry meant when none is named.", show_default=False
    ),
]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]

settings = Settings()


def timeout() -> float:
    """Seconds to wait for an answer of a registry."""
    return float(settings.get("timeout").value)


def agreed(question: str, yes: bool) -> bool:
    """Ask on a terminal; elsewhere `--yes` has to have been given. Raises UsageError without either."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody can answer here.", hint="give --yes to go on without being asked")
    return typer.confirm(question, err=True)


def asked(prompt: str, option: str) -> str:
    """A line typed on a terminal. Raises UsageError without one, naming the option to give instead."""
    if not sys.stdin.isatty():
        raise UsageError(f"no terminal to ask on: {prompt.lower()}?", hint=f"give {option}")
    return str(typer.prompt(prompt, err=True))


def password(from_stdin: bool, prompt: str, *, twice: bool = False) -> str:
    """A password from standard input's first line, or typed unseen. Raises UsageError when neither is possible."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError(
            "no terminal to ask for the password on", hint="give --password-stdin and the password on stdin"
        )
    return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))
