"""A minute of 64 pulls and 16 pushes at once through the server of `registry up`: no error, and nothing is lost."""

from __future__ import annotations

import http.client
import json
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.conftest import PASSWORD, USER, Server, client
from tests.live.lab.contents import contents
from tests.live.lab.devreg import user_of
from tests.live.lab.images import multi_layer_image
from tests.live.lab.layouts import incompressible
from tests.live.lab.run import need, run
from tests.live.lab.wire import MANIFEST, OCI_MANIFEST, digest_of

SECONDS, PULLS = 60, 64
SIZES = (300_000, 1_500_000)  # of an image's layers
PUSHES = {"devreg": 6, "skopeo": 4, "docker": 2, "http": 4}


@dataclass
class Load:
    """What goes on at the server. `acknowledged`: repository, tag and digest (None where its client tells none) of each
    push that ended well; `pushed`: how many, by whom."""

    server: Server
    folder: Path
    ends: float = 0
    acknowledged: list[tuple[str, str, str | None]] = field(default_factory=list)
    pushed: Counter[str] = field(default_factory=Counter)

    def pull(self, _: int) -> tuple[int, int]:
        """Pull one image after the other, any that is known to be there; returns how many, and their bytes."""
        images = size = 0
        with closing(http.client.HTTPConnection(self.server.address, timeout=60)) as line:
            while time.monotonic() < self.ends:
                repository, tag, digest = random.choice(self.acknowledged)  # noqa: S311 - no secret
                size += self._pull_image(line, f"/v2/{repository}", tag, digest)
                images += 1
        return images, size

    def _pull_image(self, line: http.client.HTTPConnection, path: str, tag: str, digest: str | None) -> int:
        manifest = _get(line, f"{path}/manifests/{tag}")
        assert digest in (None, digest_of(manifest))
        document, size = json.loads(manifest), len(manifest)
        for blob in (document["config"], *document["layers"]):
            body = _get(line, f"{path}/blobs/{blob['digest']}")
            assert (len(body), digest_of(body)) == (blob["size"], blob["digest"])
            size += len(body)
        return size

    def push(self, who: tuple[str, int]) -> str:
        """Push one image after the other to a repository of the client's own."""
        kind, number = who
        push: Callable[[str, str], str | None] = getattr(self, f"by_{kind}")
        repository = f"load/{kind}{number}"
        for tag in _tags(self.ends):
            digest = push(repository, tag)
            self.acknowledged.append((repository, tag, digest))
            self.pushed[kind] += 1
        return repository

    def _layout(self, repository: str, tag: str) -> tuple[Path, str]:
        folder = self.folder / repository / tag
        return folder, incompressible(folder, f"{repository}:{tag}", *SIZES)

    def by_devreg(self, repository: str, tag: str) -> str:
        layout, digest = self._layout(repository, tag)
        user = user_of(self.server.engine, self.folder / repository / f"user{tag}")
        self.server.log_in(user)
        name = f"{self.server.address}/{repository}"
        (pushed,) = user.ok("push", str(layout), "--as", name, "-t", tag, "--json").data["pushed"]
        assert pushed["digest"] == digest
        shutil.rmtree(layout)
        return digest

    def by_skopeo(self, repository: str, tag: str) -> str:
        layout, digest = self._layout(repository, tag)
        options = ("--quiet", "--dest-tls-verify=false", "--dest-creds", f"{USER}:{PASSWORD}")
        run(
            need("skopeo", "skopeo"),
            *("copy", *options, f"oci:{layout}:1", f"docker://{self.server.address}/{repository}:{tag}"),
            env={"HOME": str(self.folder)},
        )
        shutil.rmtree(layout)
        return digest

    def by_docker(self, repository: str, tag: str) -> None:
        """Its digest is that of what the engine makes anew of it."""
        name = f"{self.server.address}/{repository}:{tag}"
        user = user_of(self.server.engine, self.folder / repository / f"user{tag}")
        self.server.log_in(user)
        with client(self.server.engine) as sdk:
            multi_layer_image(sdk, name, 2, 0.7)
            run(need("docker", "docker.io"), "push", "--quiet", name, env=user.env)
            sdk.images.remove(name)

    def by_http(self, repository: str, tag: str) -> str:
        layers = [random.Random(f"{repository}:{tag}{size}").randbytes(size) for size in SIZES]  # noqa: S311
        # A config of its own, as clients send none that is there: while 2.8 takes a blob once more it empties the file
        # of its link, and answers reads of it by 500.
        created = f"2024-01-02T03:04:05.{int(tag):09}Z"
        manifest = self.server.pusher.image(repository, created, layers)
        return self.server.pusher.put_manifest(repository, tag, manifest)


def _tags(ends: float) -> Iterator[str]:
    number = 0
    while time.monotonic() < ends:
        yield str(number)
        number += 1


def _get(line: http.client.HTTPConnection, path: str) -> bytes:
    line.request("GET", path, headers={"Accept": f"{MANIFEST}, {OCI_MANIFEST}"})
    answer = line.getresponse()
    body = answer.read()
    assert answer.status == 200, (path, answer.status, body)
    return body


def test_a_minute_of_many_clients(server: Server, tmp_path: Path) -> None:
    load = Load(server, tmp_path)
    load.acknowledged.append(("load/first", "1", load.by_http("load/first", "1")))
    begun = time.time()
    load.ends = time.monotonic() + SECONDS
    clients = [(kind, number) for kind, many in PUSHES.items() for number in range(many)]
    with ThreadPoolExecutor(PULLS) as pulling, ThreadPoolExecutor(len(clients)) as pushing:
        pulls, pushes = pulling.map(load.pull, range(PULLS)), pushing.map(load.push, clients)
        pulled, repositories = list(pulls), list(pushes)
    print(f"\n{PULLS} clients pulled {sum(images for images, _ in pulled)} images", end=" ")
    print(f"({sum(size for _, size in pulled) / 1e6:.0f} MB), {len(clients)} pushed {load.pushed} in {SECONDS} s")
    assert all(images for images, _ in pulled)
    assert load.pushed.keys() == PUSHES.keys()
    assert errors(server, begun) == [], "a client has hidden it by another try"
    found = {repository: contents(server.anybody, repository).tags for repository in repositories}
    for repository, tag, digest in load.acknowledged[1:]:
        assert found[repository][tag] == digest or digest is None, (repository, tag)


def errors(server: Server, since: float) -> list[str]:
    """The requests since then that nginx's log has with a status of 500 or more."""
    with client(server.engine) as sdk:
        log = sdk.containers.get("devreg-nginx").logs(stdout=True, stderr=False, since=int(since)).decode()
    assert '"PUT /v2/load/' in log
    return [line for line in log.splitlines() if re.search(r'" (499|5\d\d) \d+ "', line)]
