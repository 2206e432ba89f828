"""A network line of a given speed to this machine: whoever runs in its namespace reaches it over nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.live.lab.run import need, run


@dataclass(frozen=True)
class Line:
    """`host` is this machine's address on it; `under` are the words that run a program at its other end."""

    host: str
    under: tuple[str, ...]


@contextmanager
def line(name: str, subnet: str, rate: str) -> Iterator[Line]:
    """Make the line, as fast as `rate` says in tc's words ("1gbit") each way; it is gone at the end.

    `name` (12 letters at most) is that of its interfaces and its namespace; it has the first two addresses of `subnet`.
    """
    ip, tc = need("ip", "iproute2"), need("tc", "iproute2")
    near, far, inside = f"{name}-n", f"{name}-f", (ip, "netns", "exec", name)
    network = ipaddress.IPv4Network(subnet)
    shaped = ("root", "tbf", "rate", rate, "burst", "1mb", "latency", "50ms")
    with ExitStack() as cleaning:
        run(ip, "netns", "add", name)
        cleaning.callback(run, ip, "netns", "delete", name)
        run(ip, "link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        cleaning.callback(run, ip, "link", "delete", near)
        for words, end, number in (((), near, 1), (inside, far, 2)):
            run(*words, ip, "address", "add", f"{network[number]}/{network.prefixlen}", "dev", end)
            run(*words, ip, "link", "set", end, "up")
            run(*words, tc, "qdisc", "add", "dev", end, *shaped)
        yield Line(str(network[1]), inside)
