"""When dockerd has read its configuration: its own `reload` events, of which it remembers the last 256 of all kinds.

A refused file gives no event, only a line in dockerd's log (measured on engines 20.10 and 28.5). An engine that does
not let this user ask, as one with an authorization plugin may not, is told apart from one that has nothing to tell.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from devreg.engine.client import Engine
from devreg.engine.errors import translated
from devreg.model.errors import EngineRefused

if TYPE_CHECKING:
    from docker.types.daemon import CancellableStream
    from requests import Response


def reloaded(engine: Engine, since: float, *, seconds: float) -> bool:
    """Wait until the engine tells of a reload after `since` (seconds of the epoch), for at most `seconds`.

    Raises EngineRefused when it refuses to tell, EngineUnreachable.
    """
    with translated("listen to the engine's events"):
        events = _events(engine, since, time.time() + seconds)
        try:
            return next(iter(events), None) is not None
        finally:
            events.close()


def last_reload(engine: Engine) -> float | None:
    """When the engine last told of a reload, in seconds of the epoch; None when it remembers none.

    Raises EngineRefused when it refuses to tell, EngineUnreachable.
    """
    with translated("read the engine's events"):
        times = [int(event["timeNano"]) for event in _events(engine, 0, time.time())]
    return max(times) / 1e9 if times else None


def _events(engine: Engine, since: float, until: float) -> CancellableStream[dict[str, Any]]:
    """Reload events between two times. As text, a time keeps the digits that the SDK drops from a datetime."""
    between: dict[str, Any] = {"since": f"{since:.6f}", "until": f"{until:.6f}"}
    events = engine.client.events(**between, filters={"type": "daemon", "event": "reload"}, decode=True)
    # The SDK's stream takes a refusal for its end, or for an event.
    answer: Response = events._response  # type: ignore[attr-defined]
    if not answer.ok:
        raise EngineRefused(
            f"the engine does not tell of its events, so no reload could be seen: {_words(answer)}",
            hint="let this user `GET /events` (an authorization plugin or a proxy may forbid it), then try again",
        )
    return events


def _words(answer: Response) -> str:
    """The engine's own sentence; the status where something before the engine has answered."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason}"
