"""The registry server as processes: from what runs to what is wanted, and back when that fails."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from pathlib import Path

from devreg.actions.serving import server_record
from devreg.actions.serving.server_files import InFolder
from devreg.actions.serving.server_record import APPLIED, CHECKER, CHOICES, LISTEN
from devreg.actions.serving.server_up import Settled, answers
from devreg.host import log_files, ports, server_place, server_programs
from devreg.host.signals import uninterrupted
from devreg.model.errors import DevregError, RefusedOverwrite, ServerError
from devreg.model.events import Listener, Step
from devreg.model.server import Listen, ServerFile
from devreg.model.server_processes import Accounts, Place, Programs
from devreg.server import processes

_START_SECONDS = 60
_POLL_SECONDS = 0.2


class Change:
    """From what is there to what is wanted, and back when that fails."""

    def __init__(
        self, place: Place, settled: Settled, programs: Programs, accounts: Accounts | None, listener: Listener
    ) -> None:
        self._place, self._settled, self._programs, self._accounts = place, settled, programs, accounts
        self._listen, self._listener = settled.listen, listener
        self._supervisor = server_record.supervisor(place)
        self._checker = self._checker_port()
        self._before = server_place.current(place)
        self._wanted = processes.files(
            settled.listen,
            place,
            programs,
            accounts,
            settled.choices,
            settled.authorities,
            checker=self._checker,
            secret=server_place.secret(place),
        )
        self._pem = settled.certificate.pem if settled.certificate else settled.current

    @property
    def is_in_force(self) -> bool:
        """Whether what runs is what is wanted."""
        kept = self._supervisor.kept()
        told = server_record.choices() == self._settled.choices
        same = told and self._is_known and self._before == self._wanted
        return same and len(kept) == 2 and all(each.running for each in kept)

    @property
    def _is_known(self) -> bool:
        """Whether what runs was started from the files that are there: an interrupted change leaves that open."""
        return server_record.noted(APPLIED) == _fingerprint(self._before)

    def carry_out(self) -> None:
        """Bring it about. Raises ServerError, RefusedOverwrite; what ran before then runs again."""
        running = self._supervisor.pid is not None
        noted = {key: server_record.noted(key) for key in (LISTEN, CHECKER, CHOICES)}
        self._refuse_busy(running)
        try:
            self._certify(self._settled.current, self._pem)
            self._take_over(self._wanted, known=self._is_known)
            self.wait_until_it_answers()
        except BaseException:
            with uninterrupted():
                self._go_back(running)
                server_record.note(noted)
            raise
        server_record.note({APPLIED: _fingerprint(self._wanted)})

    def wait_until_it_answers(self) -> None:
        """Wait for an answer that came all the way through. Raises ServerError with the words of what failed."""
        deadline = time.monotonic() + _START_SECONDS
        while not answers(self._listen, self._settled.choices):
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

    def _certify(self, before: str, pem: str) -> None:
        """Lay the certificate down for the nginx that is going to read it; somebody else's, made meanwhile, stays."""
        if pem != before:
            server_place.replace(self._place, ServerFile.CERTIFICATE, before, pem)

    def _take_over(self, texts: dict[str, str], *, known: bool) -> None:
        """Have the programs run from these files. `known`: they run from those that are there now."""
        there = server_place.current(self._place)
        changed = {name for name, text in texts.items() if there.get(name) != text}
        server_place.put(self._place, texts, self._accounts)
        noted = {LISTEN: str(self._listen), CHECKER: str(self._checker), CHOICES: self._settled.choices.to_text()}
        server_record.note(noted)
        server_programs.refuse_broken(
            processes.nginx_command(self._place, self._programs), processes.environment(self._programs)
        )
        kept = {each.role: each for each in self._supervisor.kept()}
        if not (known and kept and changed <= {*processes.NGINX_FILES, processes.REGISTRY_FILE}):
            self._listener(Step(f"starting the registry in {self._place.folder}"))
            self._supervisor.stop()
            server_place.end_pauses(self._place)
            self._supervisor.start(
                Path(self._place.conf, processes.SUPERVISOR_FILE), Path(self._place.log, "supervisor.out")
            )
            return
        if processes.REGISTRY_FILE in changed or not kept["registry"].running:
            self._listener(Step("restarting the registry"))
            self._supervisor.restart("registry")
        if not kept["nginx"].running:
            self._supervisor.restart("nginx")
        elif changed & processes.NGINX_FILES or self._pem != self._settled.current:
            self._listener(Step("reloading nginx"))
            InFolder(self._place, self._settled.choices).reload()

    def _go_back(self, running: bool) -> None:
        with suppress(DevregError):
            self._certify(self._pem, self._settled.current)
        if not running:
            self._supervisor.stop()
            return
        with suppress(DevregError):  # the failure that led here says more
            self._take_over(self._before, known=True)
            server_record.note({APPLIED: _fingerprint(self._before)})

    def _refuse_busy(self, running: bool) -> None:
        published = server_record.published()
        ours = running and published is not None and published.collides(self._listen)
        who = None if ours else ports.holder(self._listen)
        if who:
            raise RefusedOverwrite(
                f"{self._listen} is in use by {who}",
                hint="choose another with --listen ADDR:PORT, or stop what is there",
            )

    def _checker_port(self) -> int:
        noted = server_record.noted(CHECKER)
        if noted and (self._supervisor.pid is not None or not ports.holder(Listen("127.0.0.1", int(noted)))):
            return int(noted)
        return next(port for port in iter(ports.free, 0) if port != self._listen.port)


def _fingerprint(texts: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()
