"""A bare Debian machine without init, whose root may not run an engine: the tour takes plain processes by itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.lab.engine import Engine
from tests.live.lab.installed import DEVREG, install
from tests.live.lab.machine import Machine, machine

# What root lacks in most containers. Without a DOCKER_HOST: nothing tells devreg that it should not set up an engine.
ROOT = ("setpriv", "--bounding-set=-sys_admin,-net_admin", "env")
USER = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "env", "HOME=/home/user", "USER=user")


@pytest.fixture(scope="module")
def bare(engine: Engine, cache: Path, wheel: Path) -> Iterator[Machine]:
    """The machine, with devreg and a user on it and nothing else."""
    with machine(engine, cache, init=False) as started:
        install(started, wheel)
        started.run("install", "-d", "-o", "1000", "-g", "1000", "/home/user")
        yield started


@pytest.mark.parametrize("who", [ROOT, USER], ids=["root", "ordinary user"])
def test_the_tour_on_a_bare_machine(bare: Machine, who: tuple[str, ...]) -> None:
    before = bare.run("dpkg-query", "--show").stdout
    tour = json.loads(bare.run(*who, DEVREG, "quickstart", "--yes", "--json").stdout)
    assert (tour["data"]["runtime"], tour["data"]["address"]) == ("processes", "127.0.0.1:5000")
    states = {step["name"]: step["state"] for step in tour["data"]["steps"]}
    assert (states["push"], states["pull"], states["engine"]) == ("changed", "changed", "unchanged")
    assert bare.run("dpkg-query", "--show").stdout == before, "packages were installed"
    programs = bare.run("sh", "-c", "cat /proc/[0-9]*/comm").stdout.split()
    assert {"nginx", "docker-registry"} <= set(programs)

    again = json.loads(bare.run(*who, DEVREG, "quickstart", "--json").stdout)
    assert again["changed"] is False
    status = json.loads(bare.run(*who, DEVREG, "registry", "status", "--json").stdout)["data"]
    assert (status["healthy"], status["runtime"]) == (True, "processes")

    bare.run(*who, DEVREG, "quickstart", "--undo", "--yes")
    left = bare.run("sh", "-c", "cat /proc/[0-9]*/comm").stdout.split()
    assert not {"nginx", "docker-registry", "supervisord"} & set(left)
    kept = bare.run("sh", "-c", "ls /var/lib/devreg /home/user/.local/state/devreg", check=False).stdout.split()
    assert {each for each in kept if not each.endswith(":")} == {"server.lock", "users.lock"}


def test_an_engine_that_does_not_start_is_done_without(bare: Machine) -> None:
    """Root has every right here, and something that is installed as dockerd."""
    bare.run("sh", "-c", "printf '#!/bin/sh\necho it cannot be; exit 1' >/usr/local/sbin/dockerd")
    bare.run("chmod", "+x", "/usr/local/sbin/dockerd")
    tour = bare.run(DEVREG, "quickstart", "--yes", "--json")
    assert json.loads(tour.stdout)["data"]["runtime"] == "processes"
    assert "it cannot be: running the registry as plain processes instead of containers" in tour.stderr
    undone = json.loads(bare.run(DEVREG, "quickstart", "--undo", "--yes", "--json").stdout)
    assert "registry" in {step["name"] for step in undone["data"]["steps"]}
