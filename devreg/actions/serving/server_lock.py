"""One change of the registry server at a time, whoever on this machine makes it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from devreg.host.files import locked
from devreg.host.state import state_folder

_LOCK = "server.lock"


def server_locked() -> AbstractContextManager[None]:
    """Hold the server's lock. Raises ConfigUnusable when another devreg holds it for long."""
    return locked(state_folder() / _LOCK)
