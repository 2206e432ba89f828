"""How the registry server is, and how much is in it: what `registry status` tells."""

from __future__ import annotations

from dataclasses import replace

from devreg.actions import serve
from devreg.actions.running_server import running
from devreg.engine.client import Engine
from devreg.model.errors import ServerError
from devreg.model.results import ServerStatus
from devreg.server import storage

# For each thing that is counted: a registry of millions of blobs would take minutes.
_SECONDS = "5"


def state(engine: Engine) -> ServerStatus:
    """The server as it is now, with what is in it where it runs. Never raises for one that is not there."""
    now = serve.status(engine)
    if not now.running:
        return now
    try:
        server = running(engine)
        free, used, repositories = storage.usage(server.lines(storage.USAGE, _SECONDS, doing="look at the disk"))
        uploads = storage.uploads(server.lines(storage.UPLOADS, _SECONDS, doing="look for uploads"))
    except ServerError:  # an image without the tools, or one that stops just now: the rest is still worth telling
        return now
    return replace(now, free=free, used=used, repositories=repositories, uploads=uploads)
