"""The running registry server whose registry and nginx are processes of this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from devreg.actions.serving import server_record
from devreg.actions.serving.running_server import Running
from devreg.actions.serving.server_files import WORKER, ServerFiles
from devreg.host import log_files, processes, server_place
from devreg.host.shell import MachineShell
from devreg.model.server_processes import Place, Programs
from devreg.registry import front
from devreg.server import processes as definition

_ANSWER_SECONDS = 5


def on_machine(place: Place, programs: Programs, checker: str, files: ServerFiles) -> Running:
    """The server in that folder. `checker`: the port of loopback by which nginx is asked."""
    beside = definition.beside(place, programs)
    return Running(
        MachineShell(definition.identity(programs, server_place.accounts()), beside.variables),
        beside,
        place.behind,
        files,
        _Pushes(place, f"127.0.0.1:{checker}").under_way,
        lambda since: log_files.lines(Path(place.log, "nginx.log"), since),
    )


@dataclass
class _Pushes:
    """The requests of pushes that had begun before a pause.

    nginx counts them, and a worker of it that was killed leaves its count behind. So where there seem to be some, nginx
    is told to take new workers: as these heed the pause, all that counts is under way in the workers of before, and in
    those that have been shutting down since longer.
    """

    place: Place
    checker: str
    before: set[int] = field(default_factory=set)

    def under_way(self) -> bool:
        """Whether there are any. For those who have begun a pause."""
        if not front.pushes_under_way(self.checker, timeout=_ANSWER_SECONDS):
            return False
        if not self.before:
            supervisor = server_record.supervisor(self.place)
            nginx = next((each.pid for each in supervisor.kept() if each.role == "nginx"), 0)
            self.before = {pid for pid, title in processes.titles(nginx).items() if WORKER in title}
            supervisor.hang_up("nginx")
        return any(processes.lives(pid) for pid in self.before)
