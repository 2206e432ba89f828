"""Passwords that are in a place that somebody names: in a devreg.toml, or with `--password-file`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from devreg.host import files
from devreg.model.declaration import PasswordSource
from devreg.model.errors import UsageError


def declared_password(source: PasswordSource, whose: str, *, folder: Path, stdin: Callable[[], str]) -> str:
    """The first line of what `source` names; a file's path starts from `folder`. `whose`: for messages.

    Raises UsageError when there is no password, ConfigUnusable for a file that cannot be read.
    """
    if source.kind == "stdin":
        where, text = "standard input", stdin()
    elif source.kind == "env":
        where, text = f"the environment variable {source.name}", os.environ.get(source.name, "")
    else:
        where, text = f"the file {folder / source.name}", _text(folder / source.name)
    return _first_line(text, whose, where)


def password_in(file: Path, whose: str) -> str:
    """The first line of a file. Raises UsageError where there is none, and where everybody may read the file."""
    if files.everybody_may_read(file):
        raise UsageError(
            f"everybody on this machine may read {file}", hint=f"`chmod 600 {file}`, and take a new password"
        )
    return _first_line(_text(file), whose, f"the file {file}")


def _first_line(text: str, whose: str, where: str) -> str:
    password = text.partition("\n")[0].rstrip("\r")
    if not password:
        raise UsageError(f"no password of {whose} in {where}", hint="put it there, then run the command again")
    return password


def _text(file: Path) -> str:
    try:
        return (files.read(file) or b"").decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"the password in {file} is not UTF-8", hint="save the file as UTF-8") from error
