"""`devreg trust` on the next generation: the containerd image store, and a dockerd that checks its own file."""

import json
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.live.conftest import PASSWORD, USER, Server, client, reload, trusts
from tests.live.lab.devreg import Devreg, user_of, with_own_state
from tests.live.lab.engine import Engine
from tests.live.lab.front import Front, front, push_busybox

BEYOND = "registry.invalid:5000"
IMAGE = "team/box"
BEFORE = '{\n\t"features": { "containerd-snapshotter": true },\n\n\t"labels":\t[ "a=b" ],   "debug":false\n}\n'
CLEAN = '{"features": {"containerd-snapshotter": true}, "insecure-registries": []}\n'


@pytest.fixture(scope="module")
def beyond_loopback(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """The registry server at addresses that no engine trusts of itself, with an image in it."""
    folder = tmp_path_factory.mktemp("front")
    with front(server.address, server.engine.bridge, folder) as addresses:
        push_busybox(server.engine, server.address, f"{IMAGE}:1", f"{USER}:{PASSWORD}", folder)
        yield addresses


@pytest.fixture
def settings(newer_engine: Engine) -> Iterator[Path]:
    """The daemon.json of `newer_engine`; it trusts nobody before and after."""
    file = newer_engine.config_file
    file.write_text(BEFORE)
    reload(newer_engine)
    yield file
    file.write_text(CLEAN)
    reload(newer_engine)


@pytest.fixture
def root(newer_engine: Engine, tmp_path: Path) -> Devreg:
    """Somebody who administers `newer_engine`, with records of devreg's own."""
    return with_own_state(user_of(newer_engine, tmp_path / "root"))


def containers_store(engine: Engine) -> bool:
    with client(engine) as sdk:
        return ["driver-type", "io.containerd.snapshotter.v1"] in sdk.info()["DriverStatus"]


def test_trust_and_untrust(settings: Path, root: Devreg, newer_engine: Engine) -> None:
    assert containers_store(newer_engine)
    pid = newer_engine.pid
    done = root.ok("trust", BEYOND, "--json").data
    assert (done["flavour"], done["file"], done["applied"]) == ("rootful", str(settings), "reload")
    assert settings.read_text().startswith(BEFORE.rstrip("\n}"))
    assert json.loads(settings.read_text())["insecure-registries"] == [BEYOND]
    assert trusts(newer_engine, BEYOND)
    assert root.ok("trust", BEYOND, "--json").document["changed"] is False
    assert root.ok("status", "--json").data["drift"] == []
    root.ok("untrust", BEYOND)
    assert settings.read_text() == BEFORE
    assert not trusts(newer_engine, BEYOND)
    assert newer_engine.pid == pid


def test_a_pull_over_plain_http_works_with_trust_and_only_with_it(
    beyond_loopback: Front, settings: Path, root: Devreg, newer_engine: Engine
) -> None:
    address = beyond_loopback.plain
    with client(newer_engine) as sdk:
        with pytest.raises(docker.errors.APIError, match="HTTP response to HTTPS client"):
            sdk.images.pull(f"{address}/{IMAGE}", "1")
        done = root.ok("trust", address, "--json").data
        assert (done["verified"], [each["reach"] for each in done["probes"]]) == (True, ["answered"])
        assert sdk.images.pull(f"{address}/{IMAGE}", "1").tags == [f"{address}/{IMAGE}:1"]
        sdk.images.remove(f"{address}/{IMAGE}:1")
        root.ok("untrust", address)
        assert settings.read_text() == BEFORE
        with pytest.raises(docker.errors.APIError, match="HTTP response to HTTPS client"):
            sdk.images.pull(f"{address}/{IMAGE}", "1")


def test_a_pull_over_tls_that_nobody_vouches_for_works_with_trust(
    beyond_loopback: Front, settings: Path, root: Devreg, newer_engine: Engine
) -> None:
    address = beyond_loopback.tls
    with client(newer_engine) as sdk:
        with pytest.raises(docker.errors.APIError, match="x509"):
            sdk.images.pull(f"{address}/{IMAGE}", "1")
        done = root.ok("trust", address, "--json")
        assert done.data["verified"] is True
        assert f"devreg trust {address} --ca fetch" in done.stderr
        assert sdk.images.pull(f"{address}/{IMAGE}", "1").tags == [f"{address}/{IMAGE}:1"]
        sdk.images.remove(f"{address}/{IMAGE}:1")
    root.ok("untrust", address)
    assert settings.read_text() == BEFORE


def test_a_registry_that_demands_a_certificate_is_not_trusted_by_the_list_alone(
    beyond_loopback: Front, settings: Path, root: Devreg, newer_engine: Engine
) -> None:
    address = beyond_loopback.mutual
    told = root.fails(11, "trust", address).stderr
    assert f"lists {address}, but does not get through to it" in told
    assert settings.read_text() == BEFORE
    assert not trusts(newer_engine, address)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BEFORE.replace('"debug"', '"debgu"'), "debgu"),
        (BEFORE.replace("false", '"no"'), "debug"),
        (BEFORE.replace('"a=b"', '"a=b", "a=c"'), "conflict"),
    ],
    ids=["unknown key", "wrong type", "values that do not go together"],
)
def test_a_file_that_dockerd_would_not_start_with_is_left_alone(
    settings: Path, root: Devreg, newer_engine: Engine, text: str, said: str
) -> None:
    settings.write_text(text)
    told = root.fails(10, "trust", BEYOND, "--force").stderr
    assert f"{settings} is broken already, Docker would not start with it" in told
    assert said in told
    assert settings.read_text() == text
    assert not trusts(newer_engine, BEYOND)
    assert root.state is not None
    assert not list(root.state.glob("backups/*"))


def test_the_running_engine_checks_with_its_own_flags(settings: Path, root: Devreg, newer_engine: Engine) -> None:
    """This file is right in itself; with the flags of the running dockerd it is not."""
    text = BEFORE.replace("{\n", '{\n\t"data-root": "/srv/docker",\n', 1)
    settings.write_text(text)
    told = root.fails(10, "trust", BEYOND, "--force").stderr
    assert "data-root: (from flag:" in told
    assert settings.read_text() == text
    assert not trusts(newer_engine, BEYOND)
