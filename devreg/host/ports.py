"""Who holds a TCP port of this machine."""

from __future__ import annotations

import socket

import psutil

from devreg.model.server import Listen


def holder(listen: Listen) -> str | None:
    """The program that listens where we want to, as `name (pid N)`; None when the port is free, or nobody may know.

    Another user's program may have no name for us: the kernel tells that only to root.
    """
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS tells root only; the engine will say that the port is taken
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and Listen(*connection.laddr).collides(listen):
            return _named(connection.pid)
    return None


def _named(pid: int | None) -> str:
    if pid is None:
        return "another user's program"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def free() -> int:
    """A port that nobody listens on at the moment, on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
