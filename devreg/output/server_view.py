"""The registry server as rows of names and values."""

from __future__ import annotations

from devreg.model.results import ServerStatus
from devreg.output.units import size


def rows(state: ServerStatus) -> list[tuple[str, str]]:
    """What `registry status` shows; a dash for what is not known."""
    word = "healthy" if state.healthy else "running, but does not answer" if state.running else "not running"
    return [
        ("state", word),
        ("address", state.address or "-"),
        ("runs in", state.runtime),
        *((f"{role} image", image) for role, image in state.images.items()),
        ("TLS", f"{state.tls}, until {state.certificate_ends[:10]}" if state.certificate_ends else state.tls),
        ("users", state.external_auth or ", ".join(state.users) or "-"),
        ("data", f"folder {state.folder}" if state.folder else f"volume {state.volume}" if state.volume else "-"),
        ("disk", f"{size(state.used)} used, {size(state.free)} free"),
        ("repositories", "-" if state.repositories is None else str(state.repositories)),
        ("uploads in flight", _uploads(state)),
    ]


def _uploads(state: ServerStatus) -> str:
    if state.uploads is None:
        return "-"
    if not state.uploads:
        return "0"
    longest = max(upload.idle for upload in state.uploads)
    return f"{len(state.uploads)} ({size(sum(each.size for each in state.uploads))}; idle for up to {longest} s)"
