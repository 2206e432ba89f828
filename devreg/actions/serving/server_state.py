"""How the registry server is, and how much is in it: what `registry status` tells."""

from __future__ import annotations

from dataclasses import replace

from devreg.actions.serving.server_runtime import Server
from devreg.model.errors import EngineUnreachable, ServerError
from devreg.model.results import ServerStatus
from devreg.server import storage

# For each thing that is counted: a registry of millions of blobs would take minutes.
_SECONDS = "5"


def state(server: Server) -> ServerStatus:
    """The server as it is now, with what is in it where it runs. Never raises for one that is not there."""
    now = server.status()
    if not now.running:
        return now
    try:
        inside = server.running()
        free, used, repositories = storage.usage(inside.lines(storage.USAGE, _SECONDS, doing="look at the disk"))
        uploads = storage.uploads(inside.lines(storage.UPLOADS, _SECONDS, storage.BEGUN, doing="look for uploads"))
    except (ServerError, EngineUnreachable):
        return now  # an image without the tools, or one that stops just now: the rest is still worth telling
    return replace(now, free=free, used=used, repositories=repositories, uploads=uploads)
