"""Every client works at the server: anonymous pull, a push with the password, and none without."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.live.conftest import PASSWORD, USER, Server
from tests.live.lab.clients import Client, Curl, DockerCli, DockerSdk, Podman, Skopeo
from tests.live.lab.engine import Engine
from tests.live.lab.images import multi_layer_image

NAMES = ("docker 20.10", "docker 26.1, containerd store", "docker SDK", "skopeo", "podman", "curl")
OTHERS_IMAGE = "for-everybody:1"

Table = dict[str, dict[str, bool]]


@pytest.fixture(scope="module")
def archive(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `docker save` writes, for clients without an engine."""
    file = tmp_path_factory.mktemp("archive") / "image.tar"
    with closing(server.engine.client()) as sdk:
        name = multi_layer_image(sdk, "saved:1", 2, 0.1)
        file.write_bytes(b"".join(sdk.images.get(name).save(named=name)))
    return file


@pytest.fixture(scope="module")
def for_everybody(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image in the registry that somebody else has pushed."""
    owner = DockerCli(server.engine, server.address, tmp_path_factory.mktemp("owner"))
    assert owner.login(USER, PASSWORD)
    assert owner.push(OTHERS_IMAGE)
    return OTHERS_IMAGE


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    """What each client could do; printed at the end (seen with -s)."""
    found: Table = {}
    yield found
    for client, outcomes in found.items():
        print(f"\n{client:32}", *(f"{what}: {'as it should' if good else 'NO'};" for what, good in outcomes.items()))


Make = Callable[[str], Client]


@pytest.fixture
def make(server: Server, newer_engine: Engine, archive: Path, short_folder: Path, tmp_path: Path) -> Make:
    """Gives the client of a name, logged in nowhere."""
    address = server.address
    podmans = short_folder / f"podman{len(list(short_folder.iterdir()))}"
    clients: dict[str, Callable[[], Client]] = {
        NAMES[0]: lambda: DockerCli(server.engine, address, tmp_path),
        NAMES[1]: lambda: DockerCli(newer_engine, address, tmp_path),
        NAMES[2]: lambda: DockerSdk(server.engine, address),
        NAMES[3]: lambda: Skopeo(archive, address, tmp_path),
        NAMES[4]: lambda: Podman(archive, address, podmans),
        NAMES[5]: lambda: Curl(address),
    }
    return lambda name: clients[name]()


@pytest.mark.parametrize("name", NAMES)
def test_a_client(name: str, make: Make, for_everybody: str, server: Server, table: Table) -> None:
    client = make(name)
    own = f"{name.partition(',')[0].replace(' ', '-').lower()}:1"
    outcomes = table.setdefault(name, {})
    outcomes["anonymous pull"] = client.pull(for_everybody)
    outcomes["anonymous push refused"] = not client.push(own)
    outcomes["wrong password refused at login"] = not client.login(USER, "wrong")
    outcomes["login"] = client.login(USER, PASSWORD)
    outcomes["push"] = client.push(own)
    outcomes["pull of the own image"] = client.pull(own) or isinstance(client, Curl)
    assert all(outcomes.values()), outcomes
    if not isinstance(client, Curl):
        assert server.anybody.manifest(own.partition(":")[0], "1").status == 200
