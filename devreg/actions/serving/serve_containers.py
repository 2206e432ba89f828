"""The registry server as containers of an engine, for those who do not care what it runs in: see `server_runtime`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from devreg.actions.serving import serve, server_record
from devreg.actions.serving.running_container import in_container
from devreg.actions.serving.running_server import Running, not_running
from devreg.actions.serving.server_files import InContainer
from devreg.actions.serving.server_lock import server_locked
from devreg.actions.serving.server_record import CONTAINERS, RECORD, RUNTIME
from devreg.actions.serving.server_up import Wish
from devreg.engine import containers, networks
from devreg.engine.client import Engine
from devreg.host.state import Record
from devreg.model.events import Listener
from devreg.model.results import ServerStatus, ServerUp
from devreg.model.server import Listen
from devreg.model.server_processes import Runtime
from devreg.server.definition import DATA_VOLUME


@dataclass(frozen=True)
class Containers:
    """The server in an engine."""

    engine: Engine

    runtime = Runtime.CONTAINERS

    @property
    def files(self) -> InContainer:
        """What nginx goes by."""
        return InContainer(self.engine)

    def up(self, wish: Wish, listener: Listener) -> ServerUp:
        """Run the server, see `serve.up`."""
        done = serve.up(self.engine, wish, listener, *server_record.kept(self.identity()))
        with server_locked():
            server_record.note({RUNTIME: self.runtime.value})
            server_record.keep(self.identity(), self.published(), self.files.choices)
        return done

    def down(self, *, volumes: bool, listener: Listener) -> bool:
        """Remove the containers, with `volumes` the data and the users too. True when any was there."""
        changed = serve.down(self.engine, volumes=volumes, listener=listener)
        with server_locked():
            if volumes:
                Record(RECORD).forget(CONTAINERS)
            if volumes and server_record.noted(RUNTIME) == self.runtime.value:
                server_record.note({RUNTIME: None})
        return changed

    def status(self) -> ServerStatus:
        """How it is now. Never raises for a server that is not there."""
        return serve.status(self.engine)

    def published(self) -> Listen | None:
        """Where it is published, running or not; None when it was never started."""
        return serve.published(self.engine)

    def logs(self, role: str, *, tail: int | None, follow: bool) -> Iterator[bytes]:
        """What the registry or nginx wrote. Raises NotFound when the server was never started."""
        return serve.logs(self.engine, role, tail=tail, follow=follow)

    def identity(self) -> str | None:
        """What tells this server from one that is made anew in its place; None when there is none."""
        return networks.volume_id(self.engine, DATA_VOLUME)

    def running(self) -> Running:
        """The server for those who keep it. Raises ServerError when it does not run."""
        found = containers.find(self.engine)
        if not {"registry", "nginx"} <= found.keys() or not all(each.running for each in found.values()):
            raise not_running()
        nginx = found["nginx"].id
        return in_container(
            self.engine, found["registry"].id, self.files, lambda since: containers.log_lines(self.engine, nginx, since)
        )

    @property
    def is_there(self) -> bool:
        """Whether it has containers, running or not."""
        return bool(containers.find(self.engine))
