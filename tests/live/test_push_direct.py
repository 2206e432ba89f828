"""`devreg push` directly to a registry: where the engine's push fails, and where somebody else has pushed before."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.images import Image

from tests.live.conftest import PASSWORD, USER, Server, client
from tests.live.lab.clients import DockerCli
from tests.live.lab.contents import contents
from tests.live.lab.devreg import Devreg, unprivileged, user_of
from tests.live.lab.engine import Engine
from tests.live.lab.front import Front, front
from tests.live.lab.images import multi_layer_image
from tests.live.lab.plain_registry import plain_registry, recipe
from tests.live.lab.run import need, run
from tests.live.lab.wire import Wire
from tests.live.test_trust_podman import home, own, service

__all__ = ["home", "own", "service"]

ENGINES = ("graph driver", "containerd store")
NOBODY = 65534
SENT = {"sent": 3, "mounted": 0, "existing": 0}
FOUND = {"sent": 0, "mounted": 0, "existing": 3}
MOUNTED = {"sent": 0, "mounted": 3, "existing": 0}


@dataclass(frozen=True)
class Somebody:
    """A user who is logged in at the server, and the engine of that user."""

    devreg: Devreg
    engine: Engine
    server: Server
    folder: Path

    def push(self, *words: str, via: str = "direct") -> dict[str, Any]:
        """Push one image under one name, and return what is told of it."""
        (pushed,) = self.devreg.ok("push", *words, "--via", via, "--json").data["pushed"]
        assert pushed["route"] == via
        return dict(pushed)

    def build(self, name: str, layers: int = 3, seed: str | None = None) -> str:
        """A local image, of a name of its own or of a seed; returns its id."""
        return built(self.engine, name, layers, seed)

    def colleague(self) -> "Somebody":
        """Another user of the same engine: nothing is known to his devreg."""
        other = replace(user_of(self.engine, self.folder / "colleague"), registry=self.server.address)
        self.server.log_in(other)
        return replace(self, devreg=other)


@pytest.fixture(params=ENGINES)
def somebody(
    request: pytest.FixtureRequest,
    devreg: Devreg,
    newer_devreg: Devreg,
    engine: Engine,
    newer_engine: Engine,
    server: Server,
    tmp_path: Path,
) -> Somebody:
    """One user of either engine."""
    whose = (devreg, engine) if request.param == ENGINES[0] else (newer_devreg, newer_engine)
    server.log_in(whose[0])
    return Somebody(*whose, server, tmp_path)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name of the test's own for an image."""
    words = request.node.name.replace("test_", "", 1).replace("[", "-").replace(" ", "-").rstrip("]")
    return f"direct/{words}:1"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, cache: Path, engine: Engine) -> Iterator[Server]:
    """The recipe's nginx before a registry of its own."""
    folders = [tmp_path_factory.mktemp(each) for each in ("registry", "nginx")]
    with plain_registry(folders[0], cache) as registry, recipe(registry, folders[1], (USER, PASSWORD)) as nginx:
        yield Server(engine, nginx.address)


@pytest.fixture(scope="module")
def beyond(published: Server, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """The recipe at addresses that no engine trusts."""
    with front(published.address, engine.bridge, tmp_path_factory.mktemp("beyond")) as addresses:
        yield addresses


def built(engine: Engine, name: str, layers: int = 3, seed: str | None = None) -> str:
    with client(engine) as sdk:
        return str(sdk.images.get(multi_layer_image(sdk, name, layers, 0.5, seed=seed)).id)


def pulled(engine: Engine, reference: str, *others: str) -> Image:
    """The image that an engine pulls, having none of it before; `others`: more names that it may have for it."""
    repository, _, tag = reference.rpartition(":")
    with client(engine) as sdk:
        for each in (reference, *others):
            try:
                for local in sdk.images.get(each).tags:
                    sdk.images.remove(local, force=True)
            except docker.errors.ImageNotFound:
                pass  # it has not
        return sdk.images.pull(repository, tag=tag)


def exports(engine: Engine, since: float) -> int:
    """How many images the engine has handed out."""
    between: dict[str, object] = {"since": f"{since:.6f}", "until": f"{time.time():.6f}"}
    with client(engine) as sdk:
        return len(list(sdk.events(**between, filters={"event": "save"}, decode=True)))  # type: ignore[call-overload]


def as_nobody(devreg: Devreg, engine: Engine, *words: str) -> list[str]:
    """The command line of somebody who may use the engine and cannot read its files: another user, to whom they are
    covered too, since python may lie where only root can read."""
    run("chown", "-R", str(NOBODY), devreg.folder)
    folder, *above = devreg.folder, *list(devreg.folder.parents)[:2]
    for each in (folder, *above):
        each.chmod(0o755)
    script = 'mount -t tmpfs none "$0" && exec "$@"'
    command = unprivileged(devreg.command(*words), engine.socket.stat().st_gid)
    return [need("unshare", "util-linux"), "--mount", "sh", "-ec", script, str(engine.root / "data"), *command]


# The recipe, as it is published


def test_the_recipe_fails_the_engine_and_not_devreg(
    published: Server, devreg: Devreg, engine: Engine, name: str, tmp_path: Path
) -> None:
    docker_cli = DockerCli(engine, published.address, tmp_path / "docker")
    assert docker_cli.login(USER, PASSWORD)
    assert not docker_cli.push(name.replace("direct", "engine"))
    id = built(engine, name)
    published.log_in(devreg)
    done = devreg.ok("push", name, "--to", published.address)
    (why,) = [line for line in done.stderr.splitlines() if "direct: " in line]
    assert f"no password to {published.address}" in why
    assert pulled(engine, f"{published.address}/{name}", name).id == id


def test_a_registry_that_the_engine_does_not_trust(
    published: Server, beyond: Front, devreg: Devreg, engine: Engine, name: str
) -> None:
    """Without root, and without a change of the engine's settings: by devreg's own setting, and the engine's export."""
    id, before = built(engine, name), engine.config_file.read_bytes()
    replace(published, address=beyond.plain).log_in(devreg)
    push = as_nobody(devreg, engine, "push", name, "--to", beyond.plain)
    assert run(*push, check=False).returncode == 23
    assert run(*push, "--via", "direct", check=False).returncode == 20
    run(*as_nobody(devreg, engine, "config", "set", "trusted", beyond.plain))
    since = time.time()
    done = run(*push)
    assert f"direct: the engine does not trust {beyond.plain}" in done.stderr
    assert exports(engine, since) == 1
    assert engine.config_file.read_bytes() == before
    assert pulled(engine, f"{published.address}/{name}", name, f"{beyond.plain}/{name}").id == id


def test_the_store_and_the_export_give_the_same(devreg: Devreg, engine: Engine, server: Server, name: str) -> None:
    built(engine, name)
    server.log_in(devreg)
    since = time.time()
    (stored,) = devreg.ok("push", name, "--via", "direct", "--json").data["pushed"]
    assert exports(engine, since) == 0
    other = replace(devreg, folder=devreg.folder.parent / "other")
    other.folder.mkdir()
    server.log_in(other)
    exported = run(*as_nobody(other, engine, "push", name, "--as", "direct/exported:1", "--via", "direct")).stdout
    assert exports(engine, since) == 1
    assert exported.strip() == f"{server.address}/direct/exported@{stored['digest']}"
    found = [contents(server.anybody, each) for each in (name.partition(":")[0], "direct/exported")]
    assert found[0] == found[1]


# Each engine


def test_what_goes_up_directly_is_pulled_by_all_engines(
    somebody: Somebody, engine: Engine, newer_engine: Engine, server: Server, name: str
) -> None:
    id = somebody.build(name)
    pushed = somebody.push(name)
    assert pushed["layers"] == SENT
    reference = f"{server.address}/{name}"
    for each in (engine, newer_engine):
        image = pulled(each, reference, name)
        assert image.attrs["RepoDigests"] == [f"{reference.rpartition(':')[0]}@{pushed['digest']}"]
        assert image.id == id or each is not somebody.engine
    found = contents(server.anybody, name.partition(":")[0])
    assert found.tags == {"1": pushed["digest"]}


def test_pushed_again_and_under_other_names(somebody: Somebody, server: Server, name: str) -> None:
    somebody.build(name)
    first = somebody.push(name)
    for words, layers in (
        ((), FOUND),
        (("-t", "2"), FOUND),
        (("--as", "direct/another:1"), MOUNTED),
        (("--as", "direct/another:2"), FOUND),
    ):
        again = somebody.push(name, *words)
        assert (again["layers"], again["bytes_sent"] > 2000, again["digest"]) == (layers, False, first["digest"]), words
    assert contents(server.anybody, "direct/another").tags.keys() == {"1", "2"}


def test_what_docker_has_pushed_is_not_sent_again(somebody: Somebody, name: str) -> None:
    somebody.build(name)
    first = somebody.push(name, via="engine")
    colleague = somebody.colleague()
    again = colleague.push(name)
    assert (again["layers"], again["bytes_sent"], again["digest"]) == (FOUND, 0, first["digest"])
    retagged = colleague.push(name, "-t", "other")
    assert (retagged["layers"], retagged["bytes_sent"], retagged["digest"]) == (FOUND, 0, first["digest"])


def test_only_a_new_layer_is_sent(somebody: Somebody, server: Server, name: str) -> None:
    somebody.build(name)
    somebody.push(name, via="engine")
    grown = name.replace(":1", ":2")
    id = somebody.build(grown, 4, seed=name)
    pushed = somebody.colleague().push(grown)
    assert pushed["layers"] == {"sent": 1, "mounted": 0, "existing": 3}
    assert pulled(somebody.engine, f"{server.address}/{grown}", grown, name).id == id


def test_a_tag_that_is_taken(somebody: Somebody, server: Server, name: str) -> None:
    somebody.build(name)
    taken = somebody.push(name, "--no-clobber")
    assert somebody.push(name, "--no-clobber")["digest"] == taken["digest"]
    other = name.replace("direct", "other")
    somebody.build(other)
    done = somebody.devreg.fails(24, "push", other, "--as", name, "--no-clobber", "--via", "direct")
    assert str(taken["digest"]) in done.stderr
    assert contents(server.anybody, name.partition(":")[0]).tags == {"1": taken["digest"]}
    assert somebody.push(other, "--as", name)["digest"] != taken["digest"]


def test_podmans_engine(service: str, home: Path, engine: Engine, published: Server, name: str) -> None:
    id, archive = built(engine, name), home / "image.tar"
    with client(engine) as sdk, closing(docker.DockerClient(service)) as podman:
        archive.write_bytes(b"".join(sdk.images.get(name).save(named=name)))
        podman.images.load(archive.read_bytes())
    user = Devreg(home, service)
    published.log_in(user)
    done = user.ok("push", name, "--to", published.address, "--via", "direct", "--json")
    (pushed,) = done.data["pushed"]
    assert pushed["layers"] == SENT
    assert contents(Wire(published.address), name.partition(":")[0]).tags == {"1": pushed["digest"]}
    assert pulled(engine, f"{published.address}/{name}", name).id == id
