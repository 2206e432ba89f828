"""Where the users of the registry server are kept: in a volume of its containers, or in the folder of its processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from devreg.engine import containers
from devreg.engine.client import Engine
from devreg.engine.containers import Found
from devreg.host import server_place
from devreg.model.errors import ServerError
from devreg.model.server_processes import Place
from devreg.server.definition import NGINX_GID, USERS_FILE


class UsersFile(Protocol):
    """An htpasswd file that nginx reads at each request."""

    def read(self) -> str:
        """Its text. Raises ServerError when there is no server."""

    def replace(self, before: str, after: str) -> bool:
        """Give it the text `after` if it still has the text `before`; False when somebody was faster.

        Raises ServerError when there is no server that runs.
        """


@dataclass(frozen=True)
class InContainer:
    """The file in the nginx container of an engine."""

    engine: Engine

    def read(self) -> str:
        """See UsersFile."""
        return containers.read(self.engine, self._nginx().id, USERS_FILE) or ""

    def replace(self, before: str, after: str) -> bool:
        """See UsersFile."""
        nginx = self._nginx()
        if not nginx.running:
            raise ServerError("the registry server does not run", hint="`devreg registry up` starts it")
        return containers.replace(self.engine, nginx.id, USERS_FILE, before, after, gid=NGINX_GID)

    def _nginx(self) -> Found:
        found = containers.find(self.engine).get("nginx")
        if found is None:
            raise ServerError("the registry server is not there", hint="`devreg registry up` starts it")
        return found


@dataclass(frozen=True)
class InFolder:
    """The file of a server that runs as processes. It may be changed while the server is stopped."""

    place: Place

    def read(self) -> str:
        """See UsersFile."""
        self._refuse_missing()
        return server_place.users(self.place)

    def replace(self, before: str, after: str) -> bool:
        """See UsersFile."""
        self._refuse_missing()
        return server_place.replace_users(self.place, before, after)

    def _refuse_missing(self) -> None:
        if not server_place.has_data(self.place):
            raise ServerError("the registry server is not there", hint="`devreg registry up` starts it")
