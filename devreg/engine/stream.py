"""What the engine says while it pushes or pulls.

The SDK does not raise when a push fails: the answer is 200 and the reason stands in the stream (measured). The digest
comes as `aux` from graph drivers, and only in a status line from the containerd image store (measured).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from devreg.model.events import Layer, Listener
from devreg.model.results import Layers

_DIGEST = re.compile(r"(?:digest: |Digest: )(sha256:[0-9a-f]{64})")
_LAYER_ID = re.compile(r"[0-9a-f]{12}")
_FINAL = ("Pushed", "Layer already exists", "Mounted from", "Pull complete", "Already exists")


class StreamError(Exception):
    """The engine reported a failure in its stream. The text is the engine's own."""


@dataclass
class Transfer:
    """What a whole stream said: the manifest's digest, the last status of each layer, and bytes moved."""

    digest: str | None = None
    statuses: dict[str, str] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    fresh: bool = False

    @property
    def layers(self) -> Layers:
        """How the layers got there."""
        final = self.statuses.values()
        return Layers(
            sent=sum(status == "Pushed" for status in final),
            mounted=sum(status.startswith("Mounted from") for status in final),
            existing=sum(status == "Layer already exists" for status in final),
        )

    @property
    def bytes_sent(self) -> int:
        """The bytes that the engine counted for layers that it sent: uncompressed on graph drivers."""
        return sum(
            self.moved[layer] for layer, status in self.statuses.items() if status == "Pushed" and layer in self.moved
        )


def follow(lines: Iterable[Mapping[str, Any]], listener: Listener) -> Transfer:
    """Read a push or pull to its end, telling `listener` of each layer. Raises StreamError with the engine's reason."""
    transfer = Transfer()
    for line in lines:
        if "error" in line:
            detail = line.get("errorDetail") or {}
            raise StreamError(str(detail.get("message") or line["error"]).strip())
        _read(line, transfer, listener)
    return transfer


def _read(line: Mapping[str, Any], transfer: Transfer, listener: Listener) -> None:
    status, layer = str(line.get("status") or ""), str(line.get("id") or "")
    aux = line.get("aux") or {}
    if digest := _DIGEST.search(status):
        transfer.digest = digest[1]
    transfer.digest = aux.get("Digest", transfer.digest)
    transfer.fresh = transfer.fresh or status.startswith("Status: Downloaded newer image")
    if not _LAYER_ID.fullmatch(layer):
        return
    detail = line.get("progressDetail") or {}
    current, total = int(detail.get("current") or 0), int(detail.get("total") or 0)
    transfer.statuses[layer] = status
    if current:
        transfer.moved[layer] = current
    listener(Layer(layer, status, current, total, done=status.startswith(_FINAL)))
