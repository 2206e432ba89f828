"""dockerd as a service that devreg can reload and restart, whoever started it."""

from __future__ import annotations

import time
from pathlib import Path

from devreg.engine.client import Engine
from devreg.flavours.flavour import Applied
from devreg.host import services
from devreg.host.dockerd import Dockerd, find
from devreg.host.services import ServiceFailed

# A reload shows within 0.3 s (measured on engine 20.10 and 28.5); a busy machine gets more.
_RELOAD_SECONDS = 10.0
_START_SECONDS = 10.0
_POLL_SECONDS = 0.1


class DockerdService:
    """The dockerd behind a unix socket. `applies` is `restart` where a reload is known not to do."""

    def __init__(self, engine: Engine, dockerd: Dockerd, applies: Applied = "reload") -> None:
        self._engine = engine
        self._dockerd = dockerd
        self.applies = applies

    @property
    def by_hand(self) -> str:
        """What a person types to restart it."""
        return services.restart_commands(self._dockerd)

    @property
    def log(self) -> str:
        """Where its words are."""
        if self._dockerd.unit:
            return f"`journalctl -u {self._dockerd.unit} -n 20`"
        launch = self._dockerd.launch
        return f"dockerd's log ({launch.log if launch else 'where its service writes it'})"

    def answers(self) -> bool:
        """Whether it answers now."""
        return self._engine.ping()

    def reload(self) -> None:
        """Have it read daemon.json, and wait for its word that it did. Raises ServiceFailed.

        It gives that word in an event, and none for a file that it refuses (measured).
        """
        from devreg.engine.reloads import reloaded

        self._await_start()
        before = time.time()
        services.reload(self._dockerd)
        if not reloaded(self._engine, before, seconds=_RELOAD_SECONDS):
            raise ServiceFailed(f"Docker did not take it: it told of no reload within {_RELOAD_SECONDS:g} s")

    def restart(self) -> None:
        """Restart it, or start it if it is down, and wait until it answers. Raises ServiceFailed."""
        self._dockerd = services.restart(self._dockerd, self.answers)
        self._dockerd = find(Path(self._engine.host.removeprefix("unix://")))

    def _await_start(self) -> None:
        """A SIGHUP would kill a dockerd that is still starting (measured)."""
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            if time.monotonic() > deadline:
                raise ServiceFailed("Docker does not answer, so it cannot be reloaded: is it still starting?")
            time.sleep(_POLL_SECONDS)
