"""`devreg quickstart` where an engine answers already: what it sets up, once only, and that it all goes again."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Server, client, free_port, spare
from tests.live.lab.clients import DockerCli
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.images import busybox_image
from tests.live.lab.run import run

ALSO = ("somebodys-volume", "somebodys-container")


@pytest.fixture(scope="module")
def used_engine(server: Server, short_folder: Path) -> Iterator[Engine]:
    """An engine that somebody else uses too."""
    with spare(server, short_folder / "q") as engine, client(engine) as sdk:
        image = busybox_image(sdk, "somebodys-image:1")
        sdk.volumes.create(ALSO[0])
        sdk.containers.run(image, ["sleep", "600"], name=ALSO[1], detach=True, init=True)
        yield engine


@pytest.fixture
def spare_engine(used_engine: Engine) -> Engine:
    """What `root` administers in this module."""
    return used_engine


@pytest.fixture
def address() -> str:
    """Where the tour's registry listens."""
    return f"127.0.0.1:{free_port()}"


def contents(engine: Engine) -> dict[str, set[str]]:
    """Everything that is in an engine."""
    with client(engine) as sdk:
        return {
            "images": {f"{each.id} {' '.join(sorted(each.tags))}" for each in sdk.images.list(all=True)},
            "containers": {f"{each.id} {each.status}" for each in sdk.containers.list(all=True)},
            "volumes": {str(each.name) for each in sdk.volumes.list()},
            "networks": {str(each.id) for each in sdk.networks.list()},
        }


def states(document: dict[str, dict[str, list[dict[str, str]]]]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in document["data"]["steps"]}


def test_the_tour_once_twice_and_undone(root: Devreg, used_engine: Engine, address: str, tmp_path: Path) -> None:
    before = contents(used_engine)
    first = root.ok("quickstart", "--yes", "--listen", address, "--json")
    document = first.document
    assert document["changed"] is True
    assert states(document)["engine"] == "unchanged"
    assert {"registry", "login", "push", "pull"} <= {
        name for name, state in states(document).items() if state == "changed"
    }
    assert document["data"]["address"] == address
    (tag,) = document["data"]["tags"]
    assert (tag["repository"], tag["name"], tag["error"]) == ("devreg-hello", "1", None)
    user, password = document["data"]["user"], document["data"]["password"]
    docker = DockerCli(used_engine, address, tmp_path / "docker")
    assert docker.pull("devreg-hello:1")
    assert docker.login(user, password)
    assert docker.push("by-hand:1")
    with client(used_engine) as sdk:
        sdk.images.remove(f"{address}/by-hand:1")

    while_up = contents(used_engine)
    second = root.ok("quickstart", "--yes", "--listen", address, "--json").document
    assert second["changed"] is False
    assert set(states(second).values()) == {"unchanged"}
    assert second["data"]["password"] is None
    assert contents(used_engine) == while_up

    undone = root.ok("quickstart", "--undo", "--yes", "--json").document
    assert undone["changed"] is True
    assert address not in root.config().get("auths", {})
    after = contents(used_engine)
    with client(used_engine) as sdk:
        after["images"] -= {f"{each.id} {' '.join(sorted(each.tags))}" for each in sdk.images.list() if not each.tags}
    assert after == before
    assert root.ok("quickstart", "--undo", "--yes", "--json").document["changed"] is False
    assert root.state is not None
    assert [each.name for each in root.state.iterdir() if each.suffix == ".json"] == []


def test_what_it_will_do_is_said_first_and_has_to_be_agreed_to(root: Devreg, used_engine: Engine, address: str) -> None:
    before = contents(used_engine)
    asked = root.fails(2, "quickstart", "--listen", address)
    assert f"run a registry at {address}" in asked.stderr
    assert "--yes" in asked.stderr
    assert contents(used_engine) == before


def test_a_registry_that_was_there_survives_the_undo(root: Devreg, used_engine: Engine, address: str) -> None:
    root.ok("registry", "up", "--listen", address, "--user", "earlier", "--password-stdin", input="earlier-password\n")
    containers = contents(used_engine)["containers"]
    root.ok("quickstart", "--yes", "--listen", address)
    assert contents(used_engine)["containers"] == containers
    root.ok("quickstart", "--undo", "--yes")
    assert contents(used_engine)["containers"] == containers
    assert root.ok("registry", "user", "list").stdout.split() == ["earlier"]
    root.ok("registry", "down", "--volumes", "--yes")


def test_a_login_that_was_there_survives_the_undo(root: Devreg, used_engine: Engine, address: str) -> None:
    del used_engine
    up = ("registry", "up", "--listen", address, "--user", "me", "--password-stdin")
    root.ok(*up, input="password\n")
    root.ok("login", address, "-u", "me", "--password-stdin", input="password")
    before = root.config()
    assert states(root.ok("quickstart", "--yes", "--listen", address, "--json").document)["login"] == "unchanged"
    root.ok("quickstart", "--undo", "--yes")
    assert root.config() == before
    root.ok("registry", "down", "--volumes", "--yes")


def test_a_busy_port_ends_the_tour_and_undo_cleans_up(root: Devreg, used_engine: Engine, address: str) -> None:
    before = contents(used_engine)
    port = int(address.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        root.fails(24, "quickstart", "--yes", "--listen", address)
    root.ok("quickstart", "--undo", "--yes")
    assert contents(used_engine) == before


def test_an_address_beyond_loopback_is_trusted_and_untrusted_again(root: Devreg, used_engine: Engine) -> None:
    gateway = (
        run("ip", "-4", "-brief", "address", "show", "dev", used_engine.bridge).stdout.split()[2].partition("/")[0]
    )
    address = f"{gateway}:{free_port()}"
    before = used_engine.config_file.read_bytes()
    document = root.ok("quickstart", "--yes", "--listen", address, "--json").document
    assert states(document)["trust"] == "changed"
    assert states(root.ok("quickstart", "--yes", "--listen", address, "--json").document)["trust"] == "unchanged"
    root.ok("quickstart", "--undo", "--yes")
    assert used_engine.config_file.read_bytes() == before
    with client(used_engine) as sdk:
        assert address not in sdk.info()["RegistryConfig"]["IndexConfigs"]
