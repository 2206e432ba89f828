"""Run the registry server's processes from newer packages, as far as devreg has fetched them."""

from __future__ import annotations

import time
from pathlib import Path

from devreg.actions.serving.serve_processes import Processes, fetched_programs
from devreg.actions.serving.server_lock import server_locked
from devreg.host import server_programs
from devreg.host.signals import uninterrupted
from devreg.model.errors import ServerError
from devreg.model.events import Listener, Step
from devreg.model.results import Renewed, Upgraded
from devreg.server import storage


def upgrade(present: Processes, *, wait: float, listener: Listener) -> Upgraded:
    """Fetch the programs anew that were fetched, and run the server from them if they are others.

    Requests of pushes are given `wait` seconds to end first; uploads go on afterwards. The old programs come back when
    the new ones do not answer. Raises ServerError, also where all programs are installed.
    """
    folder = fetched_programs()
    with server_locked():
        server, names = present.running(), server_programs.fetched_packages(folder)
        if not names:
            raise ServerError(
                "the registry and nginx are installed here, and the machine renews them",
                hint="`apt-get upgrade` or the like, then `devreg registry down` and `devreg registry up`",
            )
        before = server_programs.digests(folder)
        listener(Step(f"fetching {' and '.join(names)} from the distribution's packages"))
        with server_programs.fetched_anew(names, folder) as renewed:
            if _contents(renewed) == _contents(folder):
                return Upgraded(_told(before, before), changed=False, paused=0)
            listener(Step("waiting for requests of pushes to end; new ones wait until this is done"))
            began = time.monotonic()
            with server.paused(storage.PAUSE_UPLOADS, wait):
                _exchange(present, folder, renewed, listener)
        paused = round(time.monotonic() - began, 1)
        return Upgraded(_told(before, server_programs.digests(folder)), changed=True, paused=paused)


def _exchange(present: Processes, folder: Path, renewed: Path, listener: Listener) -> None:
    """Run the server from what is in `renewed`, or again from what is in `folder` if it does not answer then."""
    server_programs.exchange(folder, renewed)
    try:
        present.start_anew(listener)
    except BaseException:
        with uninterrupted():
            server_programs.exchange(folder, renewed)
            present.start_anew(listener)
        raise


def _contents(folder: Path) -> dict[str, str]:
    return {role: digest for role, (_, digest) in server_programs.digests(folder).items()}


def _told(before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]]) -> tuple[Renewed, ...]:
    return tuple(Renewed(role, *before[role], *after[role]) for role in before)
