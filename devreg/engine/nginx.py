"""The running nginx reads its configuration anew: uploads go on in the workers of before, requests come to new ones."""

from __future__ import annotations

import time
from functools import partial

from devreg.engine.client import Engine
from devreg.engine.errors import translated
from devreg.model.errors import ServerError

_SECONDS = 30
_POLL_SECONDS = 0.05
_LEAVING = "shutting down"

_translated = partial(translated, refused=ServerError)


def reload(engine: Engine, id: str) -> None:
    """Have nginx in a running container reload, and wait until no worker of before takes a request.

    nginx starts new workers and then has the old ones finish what they are at; each says so in its title. A
    configuration that it cannot use it only logs, and goes on with the old one: ServerError.
    """
    before = _workers(engine, id)
    with _translated("reload nginx"):
        engine.client.containers.get(id).kill(signal="HUP")
    deadline = time.monotonic() + _SECONDS
    while not (now := _workers(engine, id)) or now & before:
        if time.monotonic() > deadline:
            raise ServerError(
                f"nginx did not take its new configuration within {_SECONDS} s",
                hint="`devreg registry logs nginx --tail 20` says why; what was in force before still is",
            )
        time.sleep(_POLL_SECONDS)


def _workers(engine: Engine, id: str) -> set[str]:
    """The process ids of the workers that take requests."""
    with _translated("look at the workers of nginx"):
        table = engine.client.containers.get(id).top(ps_args="-o pid,args")
    rows = ((str(row[0]), str(row[-1])) for row in table["Processes"])
    return {pid for pid, title in rows if "nginx: worker process" in title and _LEAVING not in title}
