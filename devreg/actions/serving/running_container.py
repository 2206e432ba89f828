"""The running registry server whose registry is in a container."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from devreg.actions.serving.running_server import Running
from devreg.actions.serving.server_files import ServerFiles
from devreg.engine.client import Engine
from devreg.engine.shell import ContainerShell
from devreg.server import storage
from devreg.server.definition import SHARED_FOLDER
from devreg.server.storage import IN_CONTAINER


def in_container(engine: Engine, id: str, files: ServerFiles, asked: Callable[[datetime], Iterable[str]]) -> Running:
    """The server whose registry runs in the container `id`. `asked`: nginx's log since then, by lines."""
    shell = ContainerShell(engine, id, IN_CONTAINER.variables)

    def busy() -> bool:
        metrics = shell.lines(storage.IN_FLIGHT, doing="ask what is under way")
        return storage.in_flight(metrics) > 0

    return Running(shell, IN_CONTAINER, SHARED_FOLDER, files, busy, asked)
