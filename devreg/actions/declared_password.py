"""The password that a devreg.toml names the place of."""

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
    password = text.partition("\n")[0].rstrip("\r")
    if not password:
        raise UsageError(f"no password of {whose} in {where}", hint="put it there, then run the command again")
    return password


def _text(file: Path) -> str:
    try:
        return (files.read(file) or b"").decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"the password in {file} is not UTF-8", hint="save the file as UTF-8") from error
