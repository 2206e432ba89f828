"""By which addresses others reach this machine."""

from __future__ import annotations

import socket
from contextlib import suppress

# Addresses for documentation: a route to them is the one to everywhere. Connecting a datagram socket sends nothing.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def primary() -> tuple[str, ...]:
    """The addresses that this machine speaks from when it talks to others, one of each kind that it has."""
    found = []
    for family, elsewhere in _ELSEWHERE:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 9))
            found.append(str(probe.getsockname()[0]))
    return tuple(found)
