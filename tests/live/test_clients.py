"""Every client works at the server: anonymous pull, a push with the password, and none without. One table says so.

`python -m tests.clients_table` writes that table into the README.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from tests.live.conftest import PASSWORD, USER, Server, free_subnet
from tests.live.lab.clients import Client, Curl, DockerCli, DockerSdk, Podman, Skopeo
from tests.live.lab.containerd_clients import Buildx, Ctr
from tests.live.lab.dockerd import dockerd
from tests.live.lab.engine import Engine
from tests.live.lab.images import multi_layer_image
from tests.live.lab.run import need, run
from tests.live.lab.suites import engine_of
from tests.live.lab.wire import MANIFEST

NAMES = (
    "docker, Debian 12",
    "docker, Debian 13, containerd store",
    "docker, Debian unstable",
    "docker SDK",
    "buildx, BuildKit of Debian 13",
    "ctr",
    "skopeo",
    "podman",
    "curl",
)
COLUMNS = ("anonymous pull", "authenticated push", "wrong password refused at login", "anonymous push refused")
# Those have no login: a wrong password shows when it is used.
NO_LOGIN = ("ctr", "curl")
PROGRAMS = (("ctr", "containerd"), ("skopeo", "skopeo"), ("podman", "podman"), ("curl", "curl"))
OTHERS_IMAGE = "for-everybody:1"
README = Path(__file__).parents[2] / "README.md"
IN_README = re.compile(r"(?<=<!-- clients -->\n).*?(?=\n\n)", re.DOTALL)

Table = dict[str, dict[str, bool]]
Make = Callable[[str], Client]


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
def newest_engine(short_folder: Path, cache: Path) -> Iterator[Engine]:
    """The engine of Debian unstable, with a graph driver."""
    binaries, subnet = engine_of("sid", cache), free_subnet()
    with dockerd(short_folder / "u", name=f"u{os.getpid()}", binaries=binaries, subnet=subnet) as running:
        yield running


@pytest.fixture(scope="module")
def table() -> Table:
    """What each client could do."""
    return {}


@pytest.fixture(scope="module")
def engines(server: Server, newer_engine: Engine, newest_engine: Engine) -> tuple[Engine, Engine, Engine]:
    """From old to new."""
    return server.engine, newer_engine, newest_engine


@pytest.fixture
def make(
    server: Server, engines: tuple[Engine, Engine, Engine], archive: Path, short_folder: Path, tmp_path: Path
) -> Make:
    """Gives the client of a name, logged in nowhere."""
    address, (old, newer, newest) = server.address, engines
    assert newest.binaries
    buildx = newest.binaries / "docker-buildx"
    podmans = short_folder / f"podman{len(list(short_folder.iterdir()))}"
    clients: tuple[Callable[[], Client], ...] = (
        lambda: DockerCli(old, address, tmp_path),
        lambda: DockerCli(newer, address, tmp_path),
        lambda: DockerCli(newest, address, tmp_path),
        lambda: DockerSdk(old, address),
        lambda: Buildx(newer, buildx, address, tmp_path),
        lambda: Ctr(old, archive, address),
        lambda: Skopeo(archive, address, tmp_path),
        lambda: Podman(archive, address, podmans),
        lambda: Curl(address),
    )
    return lambda name: dict(zip(NAMES, clients, strict=True))[name]()


@pytest.mark.parametrize("name", NAMES)
def test_a_client(name: str, make: Make, for_everybody: str, server: Server, table: Table) -> None:
    client = make(name)
    own = f"{re.sub('[^a-z0-9]+', '-', name.lower())}:1"
    outcomes = table.setdefault(name, {})
    outcomes["anonymous pull"] = client.pull(for_everybody)
    outcomes["anonymous push refused"] = not client.push(own)
    outcomes["wrong password refused at login"] = not client.login(USER, "wrong")
    outcomes["login"] = client.login(USER, PASSWORD)
    outcomes["authenticated push"] = client.push(own)
    outcomes["pull of the own image"] = client.pull(own) or isinstance(client, Curl)
    assert all(outcomes.values()), outcomes
    if not isinstance(client, Curl):
        accept = {"Accept": f"{MANIFEST}, application/vnd.oci.image.manifest.v1+json"}
        assert server.anybody("GET", f"/v2/{own.replace(':', '/manifests/')}", accept).status == 200


def test_the_table_in_the_readme_is_what_was_found(table: Table, engines: tuple[Engine, Engine, Engine]) -> None:
    """Versions are those of the day on which it was written; the clients, and what works, are as found now."""
    if len(table) < len(NAMES):
        pytest.fail("the table is made of all clients: run the whole file")
    found = markdown(table, versions(engines))
    if "CLIENTS_TABLE" in os.environ:
        README.write_text(IN_README.sub(lambda _: found, README.read_text()))
    written = IN_README.search(README.read_text())
    assert written
    assert without_versions(written[0]) == without_versions(found), "`python -m tests.clients_table` writes it anew"


def markdown(table: Table, version: dict[str, str]) -> str:
    rows = [["", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    for name, outcomes in table.items():
        cells = ["yes" if outcomes[column] else "**no**" for column in COLUMNS]
        if name in NO_LOGIN:
            cells[2] += ", when it is used"
        first, comma, rest = name.partition(",")
        rows.append([f"{first} {version[name]}{comma}{rest}", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def without_versions(text: str) -> str:
    return re.sub(r"(?<=[a-zK]) v?[0-9][0-9.]*(?=[,| ])", "", text)


def versions(engines: tuple[Engine, Engine, Engine]) -> dict[str, str]:
    """Major and minor, as the programs tell."""
    old, newer, newest = engines
    assert newest.binaries
    said = []
    for engine in (old, newer, newest):
        with closing(engine.client()) as sdk:
            said.append(str(sdk.version()["Version"]))
    said.append(docker.__version__)
    programs = ((str(newest.binaries / "docker-buildx"), "version"), *((need(p, k), "--version") for p, k in PROGRAMS))
    said += [run(*words).stdout for words in programs]
    return dict(zip(NAMES, (".".join(re.findall(r"\d+", text)[:2]) for text in said), strict=True))
