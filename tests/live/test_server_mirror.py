"""A mirror of a real registry: what was pulled through it once is there when the hub is gone."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.live.conftest import Server, free_port, start_server
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.front import front
from tests.live.lab.plain_registry import plain_registry
from tests.live.lab.run import run
from tests.live.lab.wire import MANIFEST, Wire, basic

HUB_USER, HUB_PASSWORD = "reader", "pa55 of the hub"


@pytest.fixture
def machine(spare_engine: Engine, root: Devreg) -> Iterator[Engine]:
    yield spare_engine
    root.ok("registry", "mirror", "down", "--volumes", "--yes")
    root.ok("registry", "down", "--volumes", "--yes")


def test_what_was_pulled_once_is_there_without_the_hub(
    machine: Engine, root: Devreg, cache: Path, tmp_path: Path
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    start_server(root, f"127.0.0.1:{free_port()}")
    with ExitStack() as hub:
        registry = hub.enter_context(plain_registry(tmp_path, cache))
        addresses = hub.enter_context(front(registry.address, machine.bridge, tmp_path))
        wire = Wire(registry.address)
        wire.put_manifest("lab/app", "1", wire.image("lab/app", "2024-01-02T03:04:05Z", [b"layer" * 1000]))
        wire.put_manifest("lab/never", "1", wire.image("lab/never", "2024-01-02T03:04:05Z", [b"never pulled"]))
        up = ("registry", "mirror", "up", "--hub", f"http://{addresses.plain}", "--listen", listen)
        first = root.ok(*up, "--json").document
        assert (first["changed"], first["data"]["healthy"], first["data"]["address"]) == (True, True, listen)
        assert first["data"]["line"] == f'"registry-mirrors": ["http://{listen}"]'
        assert root.ok(*up, "--json").document["changed"] is False
        assert "lab/app" in _pulled(listen, "lab/app", tmp_path / "with")
        assert Wire(listen)("POST", "/v2/lab/app/blobs/uploads/").status == 405
        _until_kept(machine, 3)
    assert "lab/app" in _pulled(listen, "lab/app", tmp_path / "without")
    assert Wire(listen)("GET", "/v2/lab/never/manifests/1", {"Accept": MANIFEST}).status == 404
    assert "lab/app" in root.ok("registry", "logs", "mirror").stdout
    assert root.ok("registry", "status", "--json").data["healthy"] is True
    assert root.ok("registry", "down", "--json").document["changed"] is True
    assert root.ok("registry", "mirror", "status", "--json").data["running"] is True
    root.ok("registry", "mirror", "down")
    with closing(machine.client()) as sdk:
        assert [str(each.name) for each in sdk.volumes.list() if "mirror" in str(each.name)] == ["devreg_mirror"]


def _until_kept(machine: Engine, count: int) -> None:
    """Wait for a mirror's blobs: it keeps them beside answering, and is done a moment after the client."""
    blobs = machine.root / "data/volumes/devreg_mirror/_data/docker/registry/v2/blobs"
    deadline = time.monotonic() + 30
    while len(list(blobs.glob("sha256/*/*/data"))) < count:
        assert time.monotonic() < deadline, "the mirror does not keep them"
        time.sleep(0.1)


def _pulled(address: str, name: str, to: Path) -> str:
    options = ("--src-tls-verify=false",)
    run("skopeo", "copy", *options, f"docker://{address}/{name}:1", f"dir:{to}")
    return name


def test_a_user_of_the_hub_is_kept_where_nobody_sees_it(
    server: Server, machine: Engine, root: Devreg, tmp_path: Path
) -> None:
    del server
    listen = f"127.0.0.1:{free_port()}"
    hub = f"127.0.0.1:{free_port()}"
    start_server(root, hub)
    with front(hub, machine.bridge, tmp_path) as addresses:
        Server(machine, hub).pusher.put_blob("app", b"x")
        root.ok("registry", "user", "add", HUB_USER, "--password-stdin", input=f"{HUB_PASSWORD}\n")
        assert Wire(hub, basic(HUB_USER, HUB_PASSWORD))("GET", "/v2/").status == 200
        up = ("registry", "mirror", "up", "--hub", f"http://{addresses.plain}", "--listen", listen)
        root.ok(*up, "--user", HUB_USER, "--password-stdin", input=f"{HUB_PASSWORD}\n")
        assert root.ok(*up, "--json").document["changed"] is False, "it keeps its user"
        assert root.ok("registry", "mirror", "status", "--json").data["username"] == HUB_USER
        with closing(machine.client()) as sdk:
            mirror = sdk.containers.get("devreg-mirror")
            assert HUB_PASSWORD not in str(mirror.attrs)
            assert HUB_PASSWORD not in mirror.logs().decode()
            _, output = mirror.exec_run(["ls", "-l", "/etc/devreg/registry.yml"])
            assert isinstance(output, bytes)
            assert output.startswith(b"-rw-------")


def test_a_hub_that_is_not_there_is_told_and_nothing_stays(machine: Engine, root: Devreg) -> None:
    start_server(root, f"127.0.0.1:{free_port()}")
    failed = root.fails(30, "registry", "mirror", "up", "--hub", "http://devreg.invalid", "--listen", "127.0.0.1:9")
    assert "lookup devreg.invalid" in failed.stderr
    with closing(machine.client()) as sdk:
        assert "devreg-mirror" not in [each.name for each in sdk.containers.list(all=True)]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    "url", ["registry-1.docker.io", "ftp://a", "https://u:p@a", "https://", "http://127.0.0.1:5000"]
)
def test_what_is_no_hub(root: Devreg, url: str) -> None:
    root.fails(2, "registry", "mirror", "up", "--hub", url)
