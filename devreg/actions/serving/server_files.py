"""The files of the registry server that change while it runs, and its nginx, which reads them anew.

They are in a volume of its containers, or in the folder of its processes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from devreg.actions.serving import server_record
from devreg.engine import containers, nginx
from devreg.engine.client import Engine
from devreg.engine.containers import Found
from devreg.host import processes, server_place
from devreg.model.errors import ServerError
from devreg.model.server import ServerFile
from devreg.model.server_choices import Choices
from devreg.model.server_processes import Place
from devreg.server.definition import FILES, NGINX_GID

_RELOAD_SECONDS = 30
_UNREAD = "nginx has to read its files again\n"
_POLL_SECONDS = 0.05
# What nginx' processes say that they are.
WORKER = "nginx: worker process"
_LEAVING = "shutting down"


class ServerFiles(Protocol):
    """The files of a server, and its nginx."""

    @property
    def choices(self) -> Choices:
        """What the server was told when it was started. Raises ServerError when there is none."""

    def read(self, file: ServerFile) -> str:
        """The text of a file, empty where there is none. Raises ServerError when there is no server."""

    def replace(self, file: ServerFile, before: str, after: str) -> bool:
        """Give a file the text `after` if it still has the text `before`; False when somebody was faster.

        In one step: readers see the old text or the new. Raises ServerError when there is no server to take it.
        """

    def reload(self) -> None:
        """Have nginx read its files anew, and wait until it goes by them; uploads on the way go on.

        Raises ServerError when it does not.
        """


@dataclass(frozen=True)
class InContainer:
    """The files in the nginx container of an engine, which has to run to be given new ones."""

    engine: Engine

    @property
    def choices(self) -> Choices:
        """See ServerFiles."""
        return Choices.of_text(self._nginx().choices)

    def read(self, file: ServerFile) -> str:
        """See ServerFiles."""
        return containers.read(self.engine, self._nginx().id, FILES[file]) or ""

    def replace(self, file: ServerFile, before: str, after: str) -> bool:
        """See ServerFiles."""
        container = self._nginx()
        if not container.running:
            raise ServerError("the registry server does not run", hint="`devreg registry up` starts it")
        gid = None if file is ServerFile.CERTIFICATE else NGINX_GID
        return containers.replace(self.engine, container.id, FILES[file], before, after, gid=gid)

    def reload(self) -> None:
        """See ServerFiles."""
        id = self._nginx().id
        reload_nginx(lambda: nginx.hang_up(self.engine, id), lambda: nginx.titles(self.engine, id))

    def _nginx(self) -> Found:
        found = containers.find(self.engine).get("nginx")
        if found is None:
            raise ServerError("the registry server is not there", hint="`devreg registry up` starts it")
        return found


@dataclass(frozen=True)
class InFolder:
    """The files of a server that runs as processes. They may be changed while it is stopped."""

    place: Place
    choices: Choices

    def read(self, file: ServerFile) -> str:
        """See ServerFiles."""
        self._refuse_missing()
        return server_place.text(self.place, file)

    def replace(self, file: ServerFile, before: str, after: str) -> bool:
        """See ServerFiles."""
        self._refuse_missing()
        return server_place.replace(self.place, file, before, after)

    def reload(self) -> None:
        """See ServerFiles. One that is stopped reads them when it starts."""
        supervisor = server_record.supervisor(self.place)
        kept = next((each for each in supervisor.kept() if each.role == "nginx" and each.running), None)
        if kept:
            reload_nginx(lambda: supervisor.hang_up("nginx"), lambda: processes.titles(kept.pid))

    def _refuse_missing(self) -> None:
        if not server_place.has_data(self.place):
            raise ServerError("the registry server is not there", hint="`devreg registry up` starts it")


def put_in_force(files: ServerFiles, file: ServerFile, before: str, after: str) -> bool:
    """Replace a file that nginx reads only when it is told to, and tell it. False when somebody was faster.

    Who is killed between leaves a mark, by which `catch_up` knows. Raises ServerError.
    """
    _mark(files, _UNREAD)
    if not files.replace(file, before, after):
        return False
    files.reload()
    _mark(files, "")
    return True


def catch_up(files: ServerFiles) -> bool:
    """Have nginx read its files where somebody was killed before telling it so; False where nobody was.

    Raises ServerError.
    """
    if not files.read(ServerFile.UNREAD):
        return False
    files.reload()
    _mark(files, "")
    return True


def _mark(files: ServerFiles, text: str) -> None:
    """Another may do the same at the same time: then it is done."""
    there = files.read(ServerFile.UNREAD)
    if there != text:
        files.replace(ServerFile.UNREAD, there, text)


def reload_nginx(hang_up: Callable[[], None], titles: Callable[[], dict[int, str]]) -> None:
    """Have nginx reload, and wait until no worker of before takes a request.

    nginx starts new workers and then has the old ones finish what they are at; each says so in its title. A
    configuration that it cannot use it only logs, and goes on with the old one: ServerError.
    """
    before = _workers(titles())
    hang_up()
    deadline = time.monotonic() + _RELOAD_SECONDS
    while not (now := _workers(titles())) or now & before:
        if time.monotonic() > deadline:
            raise ServerError(
                f"nginx did not take its new configuration within {_RELOAD_SECONDS} s",
                hint="`devreg registry logs nginx --tail 20` says why; what was in force before still is",
            )
        time.sleep(_POLL_SECONDS)


def _workers(titles: dict[int, str]) -> set[int]:
    """The process ids of the workers that take requests."""
    return {pid for pid, title in titles.items() if WORKER in title and _LEAVING not in title}
