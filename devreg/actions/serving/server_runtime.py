"""What the registry server runs in: containers where an engine answers, else plain processes.

What it was started in is on record, and every command goes there: data does not move by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias

from devreg.actions.reach import open_engine
from devreg.actions.serving.running_server import Running
from devreg.actions.serving.serve_containers import Containers
from devreg.actions.serving.serve_installed import installed, refuse_installed
from devreg.actions.serving.serve_processes import Processes
from devreg.actions.serving.server_files import ServerFiles
from devreg.actions.serving.server_record import RECORD, RUNTIME
from devreg.engine.client import Engine
from devreg.host import server_programs
from devreg.host.state import Record
from devreg.model.errors import EngineUnreachable, RefusedOverwrite, ServerError, UsageError
from devreg.model.events import Listener, Step
from devreg.model.results import ServerStatus
from devreg.model.server_processes import Runtime


class Server(Protocol):
    """A registry server, whatever it runs in, after it was started. `Containers` says what the methods do and raise."""

    @property
    def files(self) -> ServerFiles: ...

    def down(self, *, volumes: bool, listener: Listener) -> bool: ...

    def status(self) -> ServerStatus: ...

    def logs(self, role: str, *, tail: int | None, follow: bool) -> Iterator[bytes]: ...

    def running(self) -> Running: ...


Started: TypeAlias = Processes | Containers


def present() -> Server:
    """The server that is installed or was started here; where none is, what an engine has. Raises EngineUnreachable."""
    return installed() or started()


def started() -> Started:
    """The server that `up` has started here; where none was, what an engine has. Raises EngineUnreachable."""
    return Processes() if noted() is Runtime.PROCESSES else Containers(open_engine())


def wanted(choice: Runtime, folder: str | None, listener: Listener) -> Started:
    """The server that `up` is to start. `folder`: where processes are to keep their data.

    Raises EngineUnreachable, UsageError for a folder that containers have no use for, and what `refuse_other` does.
    """
    server = _chosen(choice, folder, listener)
    if isinstance(server, Containers) and folder is not None:
        raise UsageError("--data is for processes: containers keep their data in a volume", hint="leave it out")
    return server


def refuse_other(choice: Runtime) -> None:
    """Raise RefusedOverwrite while the server runs in what was not chosen, or is installed; ServerError for processes
    where none can run."""
    refuse_installed()
    if choice is Runtime.CONTAINERS:
        _refuse_processes()
    if choice is Runtime.PROCESSES:
        if not server_programs.may_run():
            raise ServerError("a registry as plain processes runs on Linux only", hint="start an engine instead")
        _refuse_containers()


def _chosen(choice: Runtime, folder: str | None, listener: Listener) -> Started:
    refuse_other(choice)
    if choice is Runtime.PROCESSES:
        return Processes(folder)
    if choice is Runtime.CONTAINERS:
        return Containers(open_engine())
    if noted() is Runtime.PROCESSES:
        return Processes(folder)
    try:
        return Containers(open_engine())
    except EngineUnreachable as error:
        if noted() is Runtime.CONTAINERS:
            hint = f"{error.hint}; or without an engine, and without what is in that one: --runtime processes"
            raise EngineUnreachable(f"the registry runs in containers, and {error.message}", hint=hint) from error
        if not server_programs.may_run():
            raise
        listener(Step(f"{error.message}: running the registry as plain processes instead of containers"))
        return Processes(folder)


def noted() -> Runtime | None:
    """What the server was last started in; None when it never was."""
    value = Record(RECORD).entries.get(RUNTIME)
    return Runtime(value) if value in [each.value for each in Runtime] else None


def _refuse_processes() -> None:
    known = Processes()
    if noted() is Runtime.PROCESSES and known.is_running:
        raise RefusedOverwrite(
            f"the registry runs as processes, in {known.place.folder}",
            hint="`devreg registry down` first; what was pushed stays in that folder",
        )


def refuse_started(engine: Engine) -> None:
    """Raise RefusedOverwrite while a server runs that `up` has started, in that engine or as processes."""
    _refuse_processes()
    _refuse_containers_of(engine)


def _refuse_containers() -> None:
    try:
        engine = open_engine()
    except EngineUnreachable:
        return
    _refuse_containers_of(engine)


def _refuse_containers_of(engine: Engine) -> None:
    if Containers(engine).is_there:
        raise RefusedOverwrite(
            "the registry runs in containers", hint="`devreg registry down` first; what was pushed stays in the volume"
        )
