"""Engines that belong to one user: their files are in that user's home, and nobody else is to write there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from devreg.model.errors import ConfigUnusable

_SCHEME = "unix://"


def place(host: str) -> Path:
    """Where a unix socket really is, links followed; an empty path for other endpoints."""
    return Path(os.path.realpath(host.removeprefix(_SCHEME))) if host.startswith(_SCHEME) else Path()


def refuse_others(host: str) -> None:
    """Raise ConfigUnusable for the socket of another user's engine, to root too.

    Root would follow links that this user may have put into the home, and leave files behind that are root's.
    """
    if not host.startswith(_SCHEME):
        return
    import pwd  # where there is none (Windows), there are no such sockets either

    socket = place(host)
    try:
        owner = socket.stat().st_uid
    except OSError:  # who cannot look at it cannot use it either: the engine's own errors say so better
        return
    if owner == os.geteuid():
        return
    name = f"user {owner}"
    with suppress(KeyError):
        name = pwd.getpwuid(owner).pw_name
    raise ConfigUnusable(
        f"the engine behind {socket} is {name}'s, and so are its files", hint=f"run the command as {name}, without sudo"
    )
