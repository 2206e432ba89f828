"""The rendered stack on a swarm of three machines, with a real S3 server: nothing that was pushed is lost."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.live.conftest import PASSWORD, USER, Server, free_port
from tests.live.lab.devreg import Devreg, user_of
from tests.live.lab.layouts import incompressible
from tests.live.lab.object_store import object_store
from tests.live.lab.password_service import host_of
from tests.live.lab.stack import PORT, Stack, stack
from tests.live.lab.wire import OCI_MANIFEST, Wire

REPLICAS, PUSHES = 3, 20
LAYER_BYTES = 6 << 20
PUSH_SECONDS = 240


@pytest.fixture(scope="module")
def running(server: Server, short_folder: Path, cache: Path) -> Iterator[Stack]:
    folder, engine = short_folder / "swarm", server.engine
    with (
        object_store(short_folder / "s3", host_of(engine), free_port()) as store,
        stack(engine, store, cache, folder, (USER, PASSWORD), REPLICAS) as deployed,
    ):
        yield deployed


@pytest.fixture
def pusher(server: Server, running: Stack, tmp_path: Path) -> Devreg:
    user = replace(user_of(server.engine, tmp_path / "pusher"), registry=running.addresses[0])
    for address in running.addresses:
        user.ok("login", address, "-u", USER, "--password-stdin", input=PASSWORD, env=trusting(running.addresses))
    return user


def trusting(addresses: Sequence[str]) -> dict[str, str]:
    """They speak plain HTTP."""
    return {"DEVREG_TRUSTED": ",".join(addresses)}


@dataclass(frozen=True)
class Push:
    """A push under way, and the digest that it has to end in."""

    process: subprocess.Popen[str]
    name: str
    digest: str


def begin_pushes(pusher: Devreg, addresses: Sequence[str], folder: Path, what: str) -> list[Push]:
    """Push as many images at once, each with a layer of its own, by turns to every node; return in the middle of it."""
    digests = [incompressible(folder / str(number), f"{what}{number}", LAYER_BYTES) for number in range(PUSHES)]
    begun = []
    for number, digest in enumerate(digests):
        name = f"{addresses[number % len(addresses)]}/{what}/app{number}"
        words = pusher.command("push", str(folder / str(number)), "--as", name, "-t", "1", env=trusting(addresses))
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        begun.append(Push(process, name, digest))
    while all(push.process.poll() is None for push in begun):
        time.sleep(0.02)
    assert any(push.process.poll() is None for push in begun), "all ended at one moment"
    return begun


def check(pushes: Sequence[Push], addresses: Sequence[str]) -> None:
    """All ended well, and every node has what they pushed, to the byte."""
    for push in pushes:
        out, err = push.process.communicate(timeout=PUSH_SECONDS)
        assert push.process.returncode == 0, err
        assert push.digest in out, (out, err)
    for number, push in enumerate(pushes):
        repository = push.name.partition("/")[2]
        wire = Wire(addresses[(number + 1) % len(addresses)])
        manifest = wire("GET", f"/v2/{repository}/manifests/{push.digest}", {"Accept": OCI_MANIFEST})
        assert manifest.status == 200, manifest
        for blob in json.loads(manifest.body)["layers"]:
            assert len(wire("GET", f"/v2/{repository}/blobs/{blob['digest']}").body) == blob["size"]


def test_its_containers_are_held_to_what_up_holds_them_to(running: Stack) -> None:
    for role, capabilities in (("registry", None), ("nginx", ["CHOWN", "KILL", "SETGID", "SETUID"])):
        (id, *_) = running.containers(0, role)
        about = json.loads(running.swarm.nodes[0].machine.run("docker", "inspect", id).stdout)[0]["HostConfig"]
        assert about["ReadonlyRootfs"] is True
        assert about["CapDrop"] == ["ALL"]
        assert [each.removeprefix("CAP_") for each in about["CapAdd"] or ()] == (capabilities or [])
        assert (about["Memory"], about["PidsLimit"]) == (2**30, 4096)


def test_a_replica_is_killed_during_pushes(running: Stack, pusher: Devreg, tmp_path: Path) -> None:
    pushes = begin_pushes(pusher, running.addresses, tmp_path, "killed")
    victim = running.swarm.nodes[1].machine
    victim.run("docker", "kill", *running.replicas(1))
    check(pushes, running.addresses)
    running.settle()


def test_a_node_is_drained_during_pushes(running: Stack, pusher: Devreg, tmp_path: Path) -> None:
    """Its nginx goes, too: clients go on at another, as they would behind a name with several addresses."""
    drained, *left = reversed(running.swarm.nodes)
    pushes = begin_pushes(pusher, [f"{node.address}:{PORT}" for node in left], tmp_path, "drained")
    running.swarm.docker("node", "update", "--availability", "drain", drained.name)
    check(pushes, [f"{node.address}:{PORT}" for node in left])
    running.swarm.docker("node", "update", "--availability", "active", drained.name)
    running.settle()
