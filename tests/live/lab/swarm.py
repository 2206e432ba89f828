"""A swarm of whole machines, each with an engine of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live.lab.engine import Engine
from tests.live.lab.machine import Machine, keep, machine

READY_SECONDS = 60
_PACKAGES = ("docker.io", "iptables", "ca-certificates")


@dataclass(frozen=True)
class Node:
    """A machine of the swarm, its name in it, and its address in the network of the machines."""

    machine: Machine
    name: str
    address: str


@dataclass(frozen=True)
class Swarm:
    """The nodes; the first is the one manager."""

    nodes: tuple[Node, ...]

    @property
    def manager(self) -> Machine:
        return self.nodes[0].machine

    def docker(self, *words: str) -> str:
        """What a docker command on the manager prints."""
        return self.manager.run("docker", *words).stdout

    def load(self, archive: Path) -> None:
        """Give every node the images of a `docker save`."""
        for node in self.nodes:
            node.machine.put(archive, "/images.tar")
            node.machine.run("docker", "load", "-i", "/images.tar")
            node.machine.run("rm", "/images.tar")


@contextmanager
def swarm(engine: Engine, cache: Path, *, size: int = 3) -> Iterator[Swarm]:
    """Boot `size` machines in the engine and join them; all of it is gone at the end."""
    with ExitStack() as cleaning:
        with machine(engine, cache) as first:
            first.run("apt-get", "update")
            first.run("apt-get", "install", "-y", "--no-install-recommends", *_PACKAGES)
            image = keep(first, "lab-swarm-node")
        nodes = tuple(_node(cleaning.enter_context(machine(engine, cache, image=image))) for _ in range(size))
        for node in nodes:
            _wait(node.machine)
        manager = nodes[0]
        manager.machine.run("docker", "swarm", "init", "--advertise-addr", manager.address)
        token = manager.machine.run("docker", "swarm", "join-token", "--quiet", "worker").stdout.strip()
        for node in nodes[1:]:
            node.machine.run("docker", "swarm", "join", "--token", token, f"{manager.address}:2377")
        yield Swarm(nodes)


def _node(booted: Machine) -> Node:
    return Node(booted, booted.run("hostname").stdout.strip(), booted.run("hostname", "-i").stdout.split()[0])


def _wait(booted: Machine) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while booted.run("docker", "version", check=False).returncode:
        assert time.monotonic() < deadline, booted.run("journalctl", "-u", "docker", "-n", "20").stdout
        time.sleep(0.3)
