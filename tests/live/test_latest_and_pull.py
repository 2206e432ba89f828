"""`devreg latest`, and `devreg pull` of globs and of the newest: with both engines and a real registry."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.conftest import Server, client
from tests.live.lab.devreg import Devreg, user_of
from tests.live.lab.engine import Engine
from tests.live.lab.images import multi_layer_image
from tests.live.lab.layouts import multi_platform

APP, PLATFORMS = "versions/app", "versions/platforms"
IMAGES = {"1.9": ["1.9"], "1.10": ["1.10", "1", "latest"], "2.0-rc.1": ["2.0-rc.1", "nightly"]}


@pytest.fixture(scope="module")
def digests(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digest of each tag of APP, and of that of PLATFORMS, an index."""
    folder = tmp_path_factory.mktemp("versions")
    pusher = replace(user_of(server.engine, folder / "pusher"), registry=server.address)
    server.log_in(pusher)
    with client(server.engine) as sdk:
        for version, tags in IMAGES.items():
            local = multi_layer_image(sdk, f"local-{APP}:{version}", 1, 0.1)
            pusher.ok("push", local, "--as", APP, *(word for tag in tags for word in ("-t", tag)))
            for name in sdk.images.get(local).tags:
                sdk.images.remove(name)
    layout, _ = multi_platform(folder / "layout", f"docker.io/{PLATFORMS}")
    pusher.ok("push", str(layout.folder), "--as", PLATFORMS, "-t", "3.1")
    found = {tag: server.anybody.manifest(APP, tag) for tags in IMAGES.values() for tag in tags}
    found["3.1"] = server.anybody.manifest(PLATFORMS, "3.1")
    return {tag: answer.one("Docker-Content-Digest") for tag, answer in found.items()}


@pytest.fixture(params=["graph driver", "containerd store"])
def engine_of_user(request: pytest.FixtureRequest, engine: Engine, newer_engine: Engine) -> Engine:
    return engine if request.param == "graph driver" else newer_engine


@pytest.fixture
def user(engine_of_user: Engine, server: Server, tmp_path: Path) -> Iterator[Devreg]:
    """Somebody who is logged in nowhere, and whose engine has none of the images before and after."""
    yield replace(user_of(engine_of_user, tmp_path / "user"), registry=server.address)
    with client(engine_of_user) as sdk:
        for name in [name for image in sdk.images.list() for name in image.tags]:
            if name.startswith(f"{server.address}/versions/"):
                sdk.images.remove(name, force=True)


def names(engine: Engine, server: Server) -> set[str]:
    """The images of the registry that an engine has, without the registry."""
    with client(engine) as sdk:
        every = {name for image in sdk.images.list() for name in image.tags}
    return {name.partition("/")[2] for name in every if name.startswith(f"{server.address}/versions/")}


def test_what_latest_stands_for(devreg: Devreg, digests: dict[str, str]) -> None:
    assert devreg.ok("latest", APP).stdout == f"latest  {digests['latest']}  1.10  1.10,1\n"
    data = devreg.ok("latest", f"{APP}:1.9", "--json").data
    assert (data["digest"], data["same"], data["up_to_date"]) == (digests["1.9"], [], False)
    assert data["newest"] == {"name": "1.10", "digest": digests["1.10"]}
    missing = devreg.ok("latest", PLATFORMS)
    assert missing.stdout == "latest  -  3.1  -\n"
    assert "has no tag latest" in missing.stderr
    devreg.fails(22, "latest", "nobody/has/this")


def test_tags_that_match(user: Devreg, engine_of_user: Engine, server: Server, digests: dict[str, str]) -> None:
    done = user.ok("pull", f"{APP}:1.*", f"{server.address}/{PLATFORMS}:3.*")
    places = [(APP, "1.9"), (APP, "1.10"), (PLATFORMS, "3.1")]
    assert done.stdout.splitlines() == [f"{server.address}/{place}@{digests[tag]}" for place, tag in places]
    assert names(engine_of_user, server) == {f"{place}:{tag}" for place, tag in places}
    again = user.ok("pull", f"{APP}:1.*", "--json").document
    assert (again["changed"], len(again["data"]["pulled"])) == (False, 2)


def test_the_newest(user: Devreg, engine_of_user: Engine, server: Server, digests: dict[str, str]) -> None:
    assert user.ok("pull", APP, "--newest").stdout == f"{server.address}/{APP}@{digests['1.10']}\n"
    assert user.ok("pull", APP, "--newest", "--filter", "nightly").stdout.endswith(f"@{digests['nightly']}\n")
    assert names(engine_of_user, server) == {f"{APP}:1.10", f"{APP}:nightly"}


def test_what_fails_keeps_nothing_else_from_being_pulled(
    user: Devreg, engine_of_user: Engine, server: Server, digests: dict[str, str]
) -> None:
    done = user.fails(1, "pull", "nobody/has/this:*", f"{APP}:9", f"{APP}:1.9")
    assert done.stdout == f"{server.address}/{APP}@{digests['1.9']}\n"
    assert names(engine_of_user, server) == {f"{APP}:1.9"}
