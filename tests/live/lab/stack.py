"""The rendered stack, deployed on a swarm of machines, with its data in a real S3 server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devreg.server.definition import PACKAGES_IMAGE
from tests.live.lab.devreg import user_of
from tests.live.lab.engine import Engine
from tests.live.lab.images import save
from tests.live.lab.object_store import ObjectStore
from tests.live.lab.run import need, run
from tests.live.lab.swarm import Swarm, swarm
from tests.live.lab.wire import Wire

PORT, READY_SECONDS = 5000, 120
_STACK = "registry"


@dataclass(frozen=True)
class Stack:
    """The stack, as it runs in the swarm."""

    swarm: Swarm

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every node has an nginx."""
        return tuple(f"{node.address}:{PORT}" for node in self.swarm.nodes)

    def replicas(self, node: int) -> list[str]:
        """The containers of the registry on a node."""
        return self.containers(node, "registry")

    def containers(self, node: int, role: str) -> list[str]:
        """The containers of a service on a node."""
        words = ("docker", "ps", "-q", "--filter", f"label=com.docker.swarm.service.name={_STACK}_{role}")
        return self.swarm.nodes[node].machine.run(*words).stdout.split()

    def scale(self, replicas: int) -> None:
        """Have so many registries."""
        self.swarm.docker("service", "scale", "--detach", f"{_STACK}_registry={replicas}")
        self.settle()

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


@contextmanager
def stack(
    engine: Engine, store: ObjectStore, cache: Path, folder: Path, credentials: tuple[str, str], replicas: int
) -> Iterator[Stack]:
    """Deploy it on three machines in `engine`, which has the image that devreg builds from packages; the files go into
    the new `folder`. `credentials`: the one user and the password."""
    folder.mkdir()
    with swarm(engine, cache) as joined:
        joined.load(save(engine, PACKAGES_IMAGE, folder / "images.tar"))
        _render(engine, store, folder / "files", replicas)
        _secrets(joined, store, *credentials)
        joined.manager.put(folder / "files", "/srv/registry")
        words = ("stack", "deploy", "--resolve-image", "never", "-c", "/srv/registry/stack.yaml", "registry")
        joined.docker(*words)
        running = Stack(joined)
        running.settle()
        yield running
        joined.docker("stack", "rm", "registry")


def _render(engine: Engine, store: ObjectStore, folder: Path, replicas: int) -> None:
    images = {"DEVREG_REGISTRY_IMAGE": PACKAGES_IMAGE, "DEVREG_NGINX_IMAGE": PACKAGES_IMAGE}
    storage = ("--storage", "s3", "--bucket", store.bucket, "--endpoint", store.endpoint, "--replicas", str(replicas))
    words = ("registry", "render", "--target", "swarm", *storage, "--listen", f":{PORT}", "--dir", str(folder))
    user_of(engine, folder.parent / "renderer").ok(*words, env=images)


def _secrets(joined: Swarm, store: ObjectStore, user: str, password: str) -> None:
    users = run(need("htpasswd", "apache2-utils"), "-niBC8", user, input=password).stdout
    secrets = {
        "http_secret": "of the laboratory",
        "htpasswd": users,
        "s3_access_key": store.access_key,
        "s3_secret_key": store.secret_key,
    }
    for name, text in secrets.items():
        joined.manager.run("docker", "secret", "create", f"registry_{name}", "-", input=text)
