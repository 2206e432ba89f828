"""The files of the installed registry server that change while it runs, and the machine's nginx, which reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devreg.actions.serving.server_files import reload_nginx
from devreg.host import files, kept_files, processes, system_nginx, system_units
from devreg.host.kept_files import Kept
from devreg.host.state import state_folder
from devreg.model.errors import ServerError
from devreg.model.server import ServerFile
from devreg.model.server_choices import Choices
from devreg.server.targets import RULES_FILE, USERS_FILE

_LOCK = "nginx-files.lock"
_UNREAD = "nginx-unread"


@dataclass(frozen=True)
class InstalledFiles:
    """The files beside the machine's nginx. They may be changed while that is stopped; only root can."""

    choices = Choices()

    def read(self, file: ServerFile) -> str:
        """See ServerFiles."""
        return (files.read(_path(file)) or b"").decode(errors="surrogateescape")

    def replace(self, file: ServerFile, before: str, after: str) -> bool:
        """See ServerFiles."""
        path = _path(file)
        with files.locked(state_folder() / _LOCK):
            if self.read(file) != before:
                return False
            group = kept_files.group_id(system_nginx.workers_group())
            kept_files.put(path, Kept(after.encode(errors="surrogateescape"), 0o640, 0, group))
            return True

    def reload(self) -> None:
        """See ServerFiles. One that is stopped reads them when it starts."""
        system_nginx.check()
        if system_units.main_process(system_nginx.UNIT):
            go_by_files()


def go_by_files() -> None:
    """Have the machine's nginx read its files: started where it does not run, else until no worker of before takes a
    request, with a certificate of before. Raises ServerError."""
    master = system_units.main_process(system_nginx.UNIT)
    if master:
        reload_nginx(system_nginx.reread, lambda: processes.titles(master))
    else:
        system_nginx.reread()


def _path(file: ServerFile) -> Path:
    known = {
        ServerFile.USERS: Path(USERS_FILE),
        ServerFile.RULES: Path(RULES_FILE),
        ServerFile.UNREAD: state_folder() / _UNREAD,
    }
    if file not in known:
        raise ServerError(
            "the certificate of an installed server is a file of its own", hint="`devreg registry install`"
        )
    return known[file]
