"""The rendered stack on a swarm of three machines, with a real S3 server: nothing that was pushed is lost."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from devreg.server.definition import PACKAGES_IMAGE
from tests.live.conftest import PASSWORD, USER, Server, free_port
from tests.live.lab.devreg import Devreg, user_of
from tests.live.lab.engine import Engine
from tests.live.lab.images import save
from tests.live.lab.layouts import Layout, image
from tests.live.lab.object_store import ObjectStore, object_store
from tests.live.lab.run import need, run
from tests.live.lab.swarm import Swarm, swarm
from tests.live.lab.wire import OCI_MANIFEST, Wire

PORT, REPLICAS, PUSHES = 5000, 3, 20
LAYER_BYTES = 6 << 20
READY_SECONDS, PUSH_SECONDS = 120, 240


@dataclass(frozen=True)
class Registry:
    """The stack, as it runs in the swarm."""

    swarm: Swarm

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every node has an nginx."""
        return tuple(f"{node.address}:{PORT}" for node in self.swarm.nodes)

    def containers(self, node: int, role: str) -> list[str]:
        """The containers of a service on a node."""
        words = ("docker", "ps", "-q", "--filter", f"label=com.docker.swarm.service.name=registry_{role}")
        return self.swarm.nodes[node].machine.run(*words).stdout.split()

    def settle(self) -> None:
        """Wait until all of it runs, and answers through each nginx."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._is_settled():
            assert time.monotonic() < deadline, self.swarm.docker("service", "ps", "--no-trunc", *self._services())
            time.sleep(0.5)

    def _is_settled(self) -> bool:
        counts = self.swarm.docker("service", "ls", "--format", "{{.Replicas}}").split()
        if not counts or any(len(set(each.split("/"))) > 1 for each in counts):
            return False
        return all(_answers(address) for address in self.addresses)

    def _services(self) -> list[str]:
        return self.swarm.docker("service", "ls", "-q").split()


def _answers(address: str) -> bool:
    try:
        # The ping goes on to a registry; the catalog would walk through the whole bucket.
        return Wire(address)("GET", "/v2/", {"Authorization": "Bearer anonymous"}).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def store(engine: Engine, short_folder: Path) -> Iterator[ObjectStore]:
    shown = run("ip", "-4", "-brief", "address", "show", "dev", engine.bridge).stdout
    address = shown.split()[2].partition("/")[0]
    with object_store(short_folder / "s3", address, free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def stack(
    server: Server, store: ObjectStore, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("stack")
    with swarm(server.engine, cache) as joined:
        joined.load(save(server.engine, PACKAGES_IMAGE, folder / "images.tar"))
        _render(server.engine, store, folder / "files")
        _secrets(joined, store)
        joined.manager.put(folder / "files", "/srv/registry")
        words = ("stack", "deploy", "--resolve-image", "never", "-c", "/srv/registry/stack.yaml", "registry")
        joined.docker(*words)
        running = Registry(joined)
        running.settle()
        yield running
        joined.docker("stack", "rm", "registry")


def _render(engine: Engine, store: ObjectStore, folder: Path) -> None:
    images = {"DEVREG_REGISTRY_IMAGE": PACKAGES_IMAGE, "DEVREG_NGINX_IMAGE": PACKAGES_IMAGE}
    storage = ("--storage", "s3", "--bucket", store.bucket, "--endpoint", store.endpoint, "--replicas", str(REPLICAS))
    words = ("registry", "render", "--target", "swarm", *storage, "--listen", f":{PORT}", "--dir", str(folder))
    user_of(engine, folder.parent / "renderer").ok(*words, env=images)


def _secrets(joined: Swarm, store: ObjectStore) -> None:
    users = run(need("htpasswd", "apache2-utils"), "-niBC8", USER, input=PASSWORD).stdout
    secrets = {
        "http_secret": "of the laboratory",
        "htpasswd": users,
        "s3_access_key": store.access_key,
        "s3_secret_key": store.secret_key,
    }
    for name, text in secrets.items():
        joined.manager.run("docker", "secret", "create", f"registry_{name}", "-", input=text)


@pytest.fixture
def pusher(server: Server, stack: Registry, tmp_path: Path) -> Devreg:
    user = replace(user_of(server.engine, tmp_path / "pusher"), registry=stack.addresses[0])
    for address in stack.addresses:
        user.ok("login", address, "-u", USER, "--password-stdin", input=PASSWORD, env=trusting(stack.addresses))
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
    digests = [made(folder / str(number), f"{what}{number}") for number in range(PUSHES)]
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


def made(folder: Path, seed: str) -> str:
    """Make an image of one layer that nothing compresses, the same for the same seed; return its digest."""
    layout = Layout(folder)
    noise = random.Random(seed).randbytes(LAYER_BYTES)  # noqa: S311 - nobody has to guess it
    root = image(layout, "amd64", [noise])
    layout.finish({**root, "annotations": {"org.opencontainers.image.ref.name": "1"}})
    return str(root["digest"])


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


def test_its_containers_are_held_to_what_up_holds_them_to(stack: Registry) -> None:
    for role, capabilities in (("registry", None), ("nginx", ["CHOWN", "KILL", "SETGID", "SETUID"])):
        (id, *_) = stack.containers(0, role)
        about = json.loads(stack.swarm.nodes[0].machine.run("docker", "inspect", id).stdout)[0]["HostConfig"]
        assert about["ReadonlyRootfs"] is True
        assert about["CapDrop"] == ["ALL"]
        assert [each.removeprefix("CAP_") for each in about["CapAdd"] or ()] == (capabilities or [])
        assert (about["Memory"], about["PidsLimit"]) == (2**30, 4096)


def test_a_replica_is_killed_during_pushes(stack: Registry, pusher: Devreg, tmp_path: Path) -> None:
    pushes = begin_pushes(pusher, stack.addresses, tmp_path, "killed")
    victim = stack.swarm.nodes[1].machine
    victim.run("docker", "kill", *stack.containers(1, "registry"))
    check(pushes, stack.addresses)
    stack.settle()


def test_a_node_is_drained_during_pushes(stack: Registry, pusher: Devreg, tmp_path: Path) -> None:
    """Its nginx goes, too: clients go on at another, as they would behind a name with several addresses."""
    drained, *left = reversed(stack.swarm.nodes)
    pushes = begin_pushes(pusher, [f"{node.address}:{PORT}" for node in left], tmp_path, "drained")
    stack.swarm.docker("node", "update", "--availability", "drain", drained.name)
    check(pushes, [f"{node.address}:{PORT}" for node in left])
    stack.swarm.docker("node", "update", "--availability", "active", drained.name)
    stack.settle()
