"""The registry server as plain processes: up, down, and how it is. For machines where no engine can run.

Where it is, where it listens and what it was told is on record; whether it runs is asked each time. So a record that
has outlived a reboot is nothing but the answer to where the data is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devreg.actions.serving import external_auth, server_record, server_tls, server_up, users
from devreg.actions.serving.process_change import Change
from devreg.actions.serving.running_processes import on_machine
from devreg.actions.serving.running_server import Running, not_running
from devreg.actions.serving.server_files import InFolder
from devreg.actions.serving.server_lock import server_locked
from devreg.actions.serving.server_record import APPLIED, CHECKER, CHOICES, FOLDER, LISTEN, RECORD, RUNTIME
from devreg.actions.serving.server_up import Settled, Wish, answers
from devreg.host import log_files, server_place, server_programs
from devreg.host.state import Record, state_folder
from devreg.model.errors import NotFound, RefusedOverwrite
from devreg.model.events import Listener, Step
from devreg.model.results import ServerStatus, ServerUp
from devreg.model.server import Listen, ServerFile
from devreg.model.server_processes import Place, Programs, Runtime
from devreg.model.server_tls import Tls


@dataclass(frozen=True)
class Processes:
    """The server in a folder of this machine: the one on record, else `folder`, else a default."""

    folder: str | None = None

    runtime = Runtime.PROCESSES

    @property
    def place(self) -> Place:
        """Where everything of it is. Raises UsageError for a folder that cannot be written into the files."""
        return Place(str(Path(self.folder or server_record.noted(FOLDER) or state_folder() / "registry").absolute()))

    @property
    def files(self) -> InFolder:
        """What nginx goes by."""
        return InFolder(self.place, server_record.choices())

    def up(self, wish: Wish, listener: Listener) -> ServerUp:
        """Run the server, see `serve.up`. Raises RefusedOverwrite also while it runs in another folder."""
        server_up.check(wish)
        with server_locked():
            self._refuse_second()
            settled = self._settled(wish, listener)
            Record(RECORD).sweep()
            server_record.note({RUNTIME: self.runtime.value, FOLDER: self.place.folder})
            change = self._change(settled, listener)
            changed = not change.is_in_force
            if changed:
                change.carry_out()
            else:
                change.wait_until_it_answers()
                changed = server_tls.renew(self.files, settled.certificate, settled.current, listener)
            external = settled.choices.external_auth
            first = (False, None) if external else users.first(self.files, wish.user, wish.password)
        return server_up.outcome(wish, settled, self.status(), first, listener, changed=changed)

    def down(self, *, volumes: bool, listener: Listener) -> bool:
        """Stop it, with `volumes` also delete the data, the users and the programs that were fetched."""
        with server_locked():
            listener(Step(f"stopping the registry in {self.place.folder}"))
            changed = server_record.supervisor(self.place).stop()
            if volumes:
                changed = server_place.has_data(self.place) or changed
                server_place.remove(self.place)
                server_programs.forget(fetched_programs())
                server_record.note(dict.fromkeys((RUNTIME, FOLDER, LISTEN, CHECKER, CHOICES, APPLIED)))
        return changed

    def status(self) -> ServerStatus:
        """How it is now. Never raises for a server that is not there."""
        listen, there = self.published(), server_place.has_data(self.place)
        files, choices = self.files, server_record.choices()
        kept = server_record.supervisor(self.place).kept()
        running = len(kept) == 2 and all(each.running for each in kept)
        encrypted = choices.tls is not Tls.OFF
        return ServerStatus(
            running=running,
            healthy=running and listen is not None and answers(listen, choices),
            address=server_up.called(listen, choices) if listen else None,
            images={},
            users=users.names(files) if there else (),
            volume=None,
            tls=server_up.spoken(choices),
            certificate_ends=server_tls.ends(files.read(ServerFile.CERTIFICATE)) if encrypted and there else None,
            external_auth=choices.external_auth,
            runtime=self.runtime.value,
            folder=self.place.folder if there else None,
        )

    def published(self) -> Listen | None:
        """Where it listens, running or not; None when it was never started."""
        return server_record.published()

    def logs(self, role: str, *, tail: int | None, follow: bool) -> Iterator[bytes]:
        """What the registry or nginx wrote. Raises NotFound when the server was never started."""
        file = Path(self.place.log, f"{role}.log")
        if not file.exists():
            raise NotFound("the registry server is not there", hint="`devreg registry up` starts it")
        return log_files.read(file, tail=tail, follow=follow)

    def identity(self) -> str | None:
        """What tells this server from one that is made anew in its place; None when there is none."""
        if not server_place.has_data(self.place):
            return None
        return hashlib.sha256(server_place.secret(self.place).encode()).hexdigest()[:32]

    def running(self) -> Running:
        """The server for those who keep it. Raises ServerError when it does not run."""
        kept, checker = server_record.supervisor(self.place).kept(), server_record.noted(CHECKER)
        if checker is None or len(kept) != 2 or not all(each.running for each in kept):
            raise not_running()
        return on_machine(self.place, server_programs.find(fetched_programs()), checker, self.files)

    def start_anew(self, listener: Listener) -> None:
        """Stop it, and start it as it was told, from the programs that are there now. Raises ServerError.

        For those who hold the server's lock.
        """
        choices, listen = server_record.choices(), self.published()
        if listen is None:
            raise not_running()
        current = self.files.read(ServerFile.CERTIFICATE)
        settled = Settled(listen, choices, current, None, external_auth.authorities(choices))
        server_record.supervisor(self.place).stop()
        self._change(settled, listener).carry_out()

    @property
    def is_running(self) -> bool:
        """Whether anything of it runs."""
        return server_record.supervisor(self.place).pid is not None

    def _settled(self, wish: Wish, listener: Listener) -> Settled:
        current = self.files.read(ServerFile.CERTIFICATE) if server_place.has_data(self.place) else ""
        return server_up.settle(wish, self.published(), server_record.choices(), current, listener)

    def _change(self, settled: Settled, listener: Listener) -> Change:
        """What is to be done, in folders that are made."""
        programs = _programs(listener)
        accounts = server_place.accounts()
        if accounts and state_folder() in Path(self.place.folder).parents:
            server_place.let_through(state_folder())
        server_place.make(self.place, accounts)
        return Change(self.place, settled, programs, accounts, listener)

    def _refuse_second(self) -> None:
        known = Processes()
        if self.place != known.place and known.is_running:
            raise RefusedOverwrite(
                f"the registry runs in {known.place.folder} and cannot move while it does",
                hint="`devreg registry down`, then move its folder or leave it, then `devreg registry up --data` again",
            )


def _programs(listener: Listener) -> Programs:
    """The programs, fetched where they are not installed. Raises ServerError."""
    lacking = server_programs.lacking(fetched_programs())
    if lacking and server_programs.can_fetch():
        listener(Step(f"fetching {' and '.join(lacking)} from the distribution's packages, without installing them"))
        server_programs.fetch(lacking, fetched_programs())
    return server_programs.find(fetched_programs())


def fetched_programs() -> Path:
    """Where programs are that were fetched."""
    return state_folder() / "programs"
