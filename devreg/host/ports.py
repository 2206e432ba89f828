"""Who holds a TCP port of this machine."""

from __future__ import annotations

import ipaddress

import psutil

from devreg.model.server import Listen


def holder(listen: Listen) -> str | None:
    """The program that listens where we want to, as `name (pid N)`; None when the port is free.

    Another user's program may have no name for us: the kernel tells that only to root.
    """
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and _collide(connection.laddr, listen):
            return _named(connection.pid)
    return None


def _collide(bound: object, listen: Listen) -> bool:
    ip, port = getattr(bound, "ip", ""), getattr(bound, "port", None)
    if port != listen.port:
        return False
    theirs, ours = ipaddress.ip_address(ip), ipaddress.ip_address(listen.ip)
    return theirs == ours or theirs.is_unspecified or ours.is_unspecified


def _named(pid: int | None) -> str:
    if pid is None:
        return "another user's program"
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
