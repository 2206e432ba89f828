"""A network bridge for one engine, so that engines beside each other do not share `docker0`."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.lab import firewall
from tests.live.lab.run import need, run

LONGEST_NAME = 15  # the kernel's limit for an interface


@contextmanager
def bridge(name: str, subnet: str) -> Iterator[str]:
    """Make the bridge interface `name` with the first address of `subnet` ("10.213.7.0/24"); remove it at the end."""
    need("ip", "iproute2")
    if len(name) > LONGEST_NAME:
        raise AssertionError(f"an interface name has at most {LONGEST_NAME} letters: {name}")
    network = ipaddress.IPv4Network(subnet)
    run("ip", "link", "add", name, "type", "bridge")
    try:
        run("ip", "address", "add", f"{network[1]}/{network.prefixlen}", "dev", name)
        run("ip", "link", "set", name, "up")
        yield name
    finally:
        run("ip", "link", "delete", name)
        firewall.forget(name, subnet)
