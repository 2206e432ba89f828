"""The registry server as plain processes: up, down, and how it is. For machines where no engine can run.

Where it is, and where it listens, is on record; whether it runs is asked each time. So a record that has outlived a
reboot is nothing but the answer to where the data is.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devreg.actions import serve, users
from devreg.actions.serve import Wish, answers, outcome
from devreg.actions.users_file import InFolder
from devreg.host import log_files, ports, server_place, server_programs
from devreg.host.files import locked
from devreg.host.signals import uninterrupted
from devreg.host.state import Record, state_folder
from devreg.host.supervisor import Supervisor
from devreg.model.errors import DevregError, NotFound, RefusedOverwrite, ServerError
from devreg.model.events import Listener, Step
from devreg.model.results import ServerStatus, ServerUp
from devreg.model.server import Listen
from devreg.model.server_processes import SUPERVISOR_SOCKET, Accounts, Place, Programs, Runtime
from devreg.server import htpasswd, processes

# What is on record of the server, under these names.
RECORD, RUNTIME = "server", "runtime"
_FOLDER, _LISTEN, _CHECKER, _APPLIED = "folder", "listen", "checker", "applied"
_START_SECONDS = 60
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Processes:
    """The server in a folder of this machine: the one on record, else `folder`, else a default."""

    folder: str | None = None

    runtime = Runtime.PROCESSES

    @property
    def place(self) -> Place:
        """Where everything of it is. Raises UsageError for a folder that cannot be written into the files."""
        return Place(str(Path(self.folder or _noted(_FOLDER) or state_folder() / "registry").absolute()))

    @property
    def users_file(self) -> InFolder:
        """Who may push."""
        return InFolder(self.place)

    def up(self, wish: Wish, listener: Listener) -> ServerUp:
        """Run the server, see `serve.up`. Raises RefusedOverwrite also while it runs in another folder."""
        htpasswd.check(wish.user, wish.password if wish.password is not None else "generated")
        with locked(state_folder() / serve.LOCK):
            self._refuse_second()
            Record(RECORD).sweep()
            _note({RUNTIME: self.runtime.value, _FOLDER: self.place.folder})
            listen = wish.listen or self.published() or wish.default_listen
            programs = _programs(listener)
            accounts = server_place.accounts()
            if accounts and state_folder() in Path(self.place.folder).parents:
                server_place.let_through(state_folder())
            server_place.make(self.place, accounts)
            change = _Change(self.place, listen, programs, accounts, listener)
            changed = not change.is_in_force
            if changed:
                change.carry_out()
            else:
                change.wait_until_it_answers()
            made, generated = users.first(self.users_file, wish.user, wish.password)
        return outcome(wish, listen, self.status(), listener, changed=changed, made=made, generated=generated)

    def down(self, *, volumes: bool, listener: Listener) -> bool:
        """Stop it, with `volumes` also delete the data, the users and the programs that were fetched."""
        with locked(state_folder() / serve.LOCK):
            listener(Step(f"stopping the registry in {self.place.folder}"))
            changed = _supervisor(self.place).stop()
            if volumes:
                changed = server_place.has_data(self.place) or changed
                server_place.remove(self.place)
                server_programs.forget(_fetched())
                _note(dict.fromkeys((RUNTIME, _FOLDER, _LISTEN, _CHECKER, _APPLIED)))
        return changed

    def status(self) -> ServerStatus:
        """How it is now. Never raises for a server that is not there."""
        listen, there = self.published(), server_place.has_data(self.place)
        kept = _supervisor(self.place).kept()
        running = len(kept) == 2 and all(each.running for each in kept)
        return ServerStatus(
            running=running,
            healthy=running and listen is not None and answers(listen),
            address=listen.address if listen else None,
            images={},
            users=users.names(self.users_file) if there else (),
            volume=None,
            runtime=self.runtime.value,
            folder=self.place.folder if there else None,
        )

    def published(self) -> Listen | None:
        """Where it listens, running or not; None when it was never started."""
        noted = _noted(_LISTEN)
        return Listen.parse(noted) if noted else None

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

    @property
    def is_running(self) -> bool:
        """Whether anything of it runs."""
        return _supervisor(self.place).pid is not None

    def _refuse_second(self) -> None:
        known = Processes()
        if self.place != known.place and known.is_running:
            raise RefusedOverwrite(
                f"the registry runs in {known.place.folder} and cannot move while it does",
                hint="`devreg registry down`, then move its folder or leave it, then `devreg registry up --data` again",
            )


class _Change:
    """From what is there to what is wanted, and back when that fails."""

    def __init__(
        self, place: Place, listen: Listen, programs: Programs, accounts: Accounts | None, listener: Listener
    ) -> None:
        self._place, self._listen, self._programs, self._accounts = place, listen, programs, accounts
        self._listener = listener
        self._supervisor = _supervisor(place)
        self._checker = self._checker_port()
        self._before = server_place.current(place)
        kept = server_place.secret(place)
        self._wanted = processes.files(listen, place, programs, accounts, checker=self._checker, secret=kept)

    @property
    def is_in_force(self) -> bool:
        """Whether what runs is what is wanted."""
        kept = self._supervisor.kept()
        return self._is_known and self._before == self._wanted and len(kept) == 2 and all(each.running for each in kept)

    @property
    def _is_known(self) -> bool:
        """Whether what runs was started from the files that are there: an interrupted change leaves that open."""
        return _noted(_APPLIED) == _fingerprint(self._before)

    def carry_out(self) -> None:
        """Bring it about. Raises ServerError, RefusedOverwrite; what ran before then runs again."""
        running, noted = self._supervisor.pid is not None, {key: _noted(key) for key in (_LISTEN, _CHECKER)}
        self._refuse_busy(running)
        try:
            self._take_over(self._wanted, known=self._is_known)
            self.wait_until_it_answers()
        except BaseException:
            with uninterrupted():
                self._go_back(running)
                _note(noted)
            raise
        _note({_APPLIED: _fingerprint(self._wanted)})

    def wait_until_it_answers(self) -> None:
        """Wait for an answer that came all the way through. Raises ServerError with the words of what failed."""
        deadline = time.monotonic() + _START_SECONDS
        while not answers(self._listen):
            for each in self._supervisor.kept():
                if each.failing:
                    said = log_files.last_line(Path(self._place.log, f"{each.role}.log"))
                    raise ServerError(
                        f"{each.role} does not stay up: {said}", hint="mend what it says, then run the command again"
                    )
            if time.monotonic() > deadline:
                raise ServerError(
                    f"the registry does not answer at {self._listen.address} within {_START_SECONDS} s",
                    hint="does a firewall or a proxy stand between? `devreg registry logs nginx` shows what arrives",
                )
            time.sleep(_POLL_SECONDS)

    def _take_over(self, texts: dict[str, str], *, known: bool) -> None:
        """Have the programs run from these files. `known`: they run from those that are there now."""
        there = server_place.current(self._place)
        changed = {name for name, text in texts.items() if there.get(name) != text}
        server_place.put(self._place, texts, self._accounts)
        _note({_LISTEN: str(self._listen), _CHECKER: str(self._checker)})
        server_programs.refuse_broken(
            processes.nginx_command(self._place, self._programs), processes.environment(self._programs)
        )
        kept = {each.role: each for each in self._supervisor.kept()}
        if not (known and kept and changed <= {processes.NGINX_FILE, processes.REGISTRY_FILE}):
            self._listener(Step(f"starting the registry in {self._place.folder}"))
            self._supervisor.stop()
            self._supervisor.start(
                Path(self._place.conf, processes.SUPERVISOR_FILE), Path(self._place.log, "supervisor.out")
            )
            return
        if processes.REGISTRY_FILE in changed or not kept["registry"].running:
            self._listener(Step("restarting the registry"))
            self._supervisor.restart("registry")
        if not kept["nginx"].running:
            self._supervisor.restart("nginx")
        elif processes.NGINX_FILE in changed:
            self._listener(Step("reloading nginx"))
            self._supervisor.hang_up("nginx")

    def _go_back(self, running: bool) -> None:
        if not running:
            self._supervisor.stop()
            return
        with suppress(DevregError):  # the failure that led here says more
            self._take_over(self._before, known=True)
            _note({_APPLIED: _fingerprint(self._before)})

    def _refuse_busy(self, running: bool) -> None:
        published = Processes().published()
        ours = running and published is not None and published.collides(self._listen)
        who = None if ours else ports.holder(self._listen)
        if who:
            raise RefusedOverwrite(
                f"{self._listen} is in use by {who}",
                hint="choose another with --listen ADDR:PORT, or stop what is there",
            )

    def _checker_port(self) -> int:
        noted = _noted(_CHECKER)
        if noted and (self._supervisor.pid is not None or not ports.holder(Listen("127.0.0.1", int(noted)))):
            return int(noted)
        return next(port for port in iter(ports.free, 0) if port != self._listen.port)


def _programs(listener: Listener) -> Programs:
    """The programs, fetched where they are not installed. Raises ServerError."""
    lacking = server_programs.lacking(_fetched())
    if lacking and server_programs.can_fetch():
        listener(Step(f"fetching {' and '.join(lacking)} from the distribution's packages, without installing them"))
        server_programs.fetch(lacking, _fetched())
    return server_programs.find(_fetched())


def _fetched() -> Path:
    return state_folder() / "programs"


def _supervisor(place: Place) -> Supervisor:
    return Supervisor(Path(place.run), SUPERVISOR_SOCKET)


def _fingerprint(texts: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()


def _noted(key: str) -> str | None:
    value = Record(RECORD).entries.get(key)
    return value if isinstance(value, str) else None


def _note(values: Mapping[str, str | None]) -> None:
    """Put values on record, and take those away that are None."""
    record = Record(RECORD)
    for key, value in values.items():
        if value is None and key in record.entries:
            record.forget(key)
        elif record.entries.get(key) != value:
            record.note(key, value)
