"""Real parts for the live tests: two engines, a registry server, users. Whatever is started here is stopped again."""

import json
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import platformdirs
import pytest

from tests.live.lab.devreg import Devreg, user_of, with_own_state
from tests.live.lab.dockerd import dockerd
from tests.live.lab.engine import Engine
from tests.live.lab.front import Front, front, push_busybox
from tests.live.lab.installed import build
from tests.live.lab.run import run, search_path
from tests.live.lab.suites import engine_of
from tests.live.lab.wire import Wire, basic

PACKAGES = {
    "docker.io": ("dockerd", "docker"),
    "containerd": ("containerd",),
    "runc": ("runc",),
    "iptables": ("iptables",),
    "iproute2": ("ip",),
    "util-linux": ("unshare", "setpriv"),
    "e2fsprogs": ("chattr",),
    "nginx": ("nginx",),
    "apache2-utils": ("htpasswd",),
    "busybox-static": ("busybox",),
    "skopeo": ("skopeo",),
    "podman": ("podman",),
    "curl": ("curl",),
    "debootstrap": ("debootstrap",),
    "strace": ("strace",),
    "rootlesskit": ("rootlesskit",),
    "uidmap": ("newuidmap", "newgidmap"),
    "slirp4netns": ("slirp4netns",),
    "passwd": ("useradd", "userdel"),
    "zsh": ("zsh",),
    "fish": ("fish",),
    "radosgw": ("radosgw", "radosgw-admin"),
    "ceph-mon": ("ceph-mon",),
    "ceph-osd": ("ceph-osd",),
    "ceph-common": ("ceph", "ceph-authtool"),
}
CONTAINERD_STORE: dict[str, object] = {"features": {"containerd-snapshotter": True}}
# Tabs, an order of its own, a list on several lines: whatever a person may have written.
DAEMON_JSON = '{\n\t"log-level": "info",\n\n\t"labels":\t[ "a=b",\n\t\t"c=d" ],   "debug":false\n}\n'
IMAGE = "lab/app:1"
USER, PASSWORD = "pusher", "correct horse: battery/staple+"


@dataclass(frozen=True)
class Server:
    """A registry server that devreg runs, and one user who may push."""

    engine: Engine
    address: str
    user: str = USER
    password: str = PASSWORD

    @property
    def anybody(self) -> Wire:
        """Requests without credentials."""
        return Wire(self.address)

    @property
    def pusher(self) -> Wire:
        """Requests with the user's password."""
        return Wire(self.address, basic(self.user, self.password))

    def log_in(self, devreg: Devreg) -> None:
        """Leave a login where `docker login` would; that `devreg login` does so too is for its own tests."""
        _, _, auth = basic(self.user, self.password)["Authorization"].partition(" ")
        devreg.config_file.parent.mkdir(mode=0o700)
        devreg.config_file.write_text(json.dumps({"auths": {self.address: {"auth": auth}}}))


@pytest.fixture(scope="session", autouse=True)
def equipped() -> None:
    """Fail at once, and name all packages, when this machine lacks what the live tests run."""
    if os.geteuid() != 0:
        pytest.fail("the live tests start real engines: run them as root, or leave them out with --no-live")
    missing = set()
    for package, programs in PACKAGES.items():
        if not all(shutil.which(program, path=search_path()) for program in programs):
            missing.add(package)
    if missing:
        pytest.fail(f"the live tests need more programs: apt-get install {' '.join(sorted(missing))}")


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where slow things are kept between runs: the newer engine, the machine's files."""
    folder = platformdirs.user_cache_path("devreg-tests", appauthor=False)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """devreg's wheel, for the machines."""
    return build(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder with a short name, for sockets; on a disk that engines can lay file systems over."""
    folder = Path(tempfile.mkdtemp(prefix="dl-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def engine(short_folder: Path) -> Iterator[Engine]:
    """The system's engine, with a graph driver."""
    with dockerd(short_folder / "e", name=f"e{os.getpid()}", subnet=free_subnet()) as running:
        yield running


@pytest.fixture(scope="session")
def newer_engine(short_folder: Path, cache: Path) -> Iterator[Engine]:
    """The engine of Debian's next suite, with the containerd image store."""
    binaries = engine_of("trixie", cache)
    subnet = free_subnet()
    with dockerd(
        short_folder / "n", name=f"n{os.getpid()}", binaries=binaries, config=CONTAINERD_STORE, subnet=subnet
    ) as running:
        yield running


@pytest.fixture(scope="session")
def server(engine: Engine, short_folder: Path) -> Server:
    """The registry server on `engine`. Tests that stop it or change its users take `spare_engine` instead."""
    admin = user_of(engine, short_folder / "admin")
    address = f"127.0.0.1:{free_port()}"
    start_server(admin, address)
    return Server(engine, address)


@pytest.fixture(scope="session")
def registries(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """The server at addresses beyond loopback, with IMAGE in it."""
    folder = tmp_path_factory.mktemp("front")
    push_busybox(server.engine, server.address, IMAGE, f"{USER}:{PASSWORD}", folder)
    with front(server.address, server.engine.bridge, folder) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def spare_engine(server: Server, short_folder: Path) -> Iterator[Engine]:
    """An engine of the module's own to do harm to; it has the images of the server and nothing else."""
    with spare(server, short_folder / "s") as running:
        yield running


@pytest.fixture
def devreg(server: Server, tmp_path: Path) -> Devreg:
    """A new user of `engine`, who is logged in nowhere and whose default registry is the server."""
    return replace(user_of(server.engine, tmp_path / "user"), registry=server.address)


@pytest.fixture
def newer_devreg(server: Server, newer_engine: Engine, tmp_path: Path) -> Devreg:
    """The same with `newer_engine`."""
    return replace(user_of(newer_engine, tmp_path / "newer-user"), registry=server.address)


@pytest.fixture
def root(spare_engine: Engine, tmp_path: Path) -> Devreg:
    """Somebody who administers `spare_engine`; what devreg remembers of the machine is apart from the machine's own."""
    return with_own_state(user_of(spare_engine, tmp_path / "root"))


@pytest.fixture
def settings(spare_engine: Engine) -> Iterator[Path]:
    """The daemon.json of `spare_engine` with DAEMON_JSON in it; the engine trusts nobody before and after."""
    file = spare_engine.config_file
    file.write_text(DAEMON_JSON)
    reload(spare_engine)
    yield file
    run("chattr", "-i", file, check=False)
    file.write_text('{"insecure-registries": []}\n')
    if spare_engine.answers():
        reload(spare_engine)  # and wait: an engine that reads only the next test's file, without a list, keeps its own
    else:
        spare_engine.start()


def reload(engine: Engine) -> None:
    """Have the engine read its daemon.json, and wait until it tells that it has."""
    with client(engine) as sdk:
        between: dict[str, object] = {"since": f"{time.time():.6f}", "until": f"{time.time() + 20:.6f}"}
        os.kill(engine.pid, signal.SIGHUP)
        events = sdk.events(**between, filters={"type": "daemon", "event": "reload"}, decode=True)  # type: ignore[call-overload]
        assert next(iter(events), None), "the engine did not take its daemon.json"
        events.close()


def trusts(engine: Engine, address: str) -> bool:
    """Whether the running engine has the address among its insecure registries."""
    with client(engine) as sdk:
        known = sdk.info()["RegistryConfig"]["IndexConfigs"]
    return known.get(address, {}).get("Secure") is False


@contextmanager
def spare(server: Server, folder: Path) -> Iterator[Engine]:
    """An engine with the images of the server."""
    with dockerd(folder, name=f"s{os.getpid()}", subnet=free_subnet()) as running:
        copy_server_images(server.engine, running)
        yield running


def start_server(admin: Devreg, address: str) -> None:
    """Start the registry server as a script would, and let the user in."""
    words = ("registry", "up", "--images-from", "auto", "--listen", address, "--plain-http")
    admin.ok(*words, "--user", USER, "--password-stdin", input=f"{PASSWORD}\n")


@pytest.fixture
def up(spare_engine: Engine, root: Devreg) -> Iterator[Server]:
    """A server on `spare_engine` with nothing in it."""
    address = f"127.0.0.1:{free_port()}"
    start_server(root, address)
    yield Server(spare_engine, address)
    root.ok("registry", "down", "--volumes", "--yes")


def copy_server_images(source: Engine, target: Engine) -> None:
    """Give an engine the images that the server of another runs from, so that they are made only once."""
    with closing(source.client()) as have, closing(target.client()) as want:
        names = {
            str(each.attrs["Config"]["Image"]) for each in have.containers.list(filters={"label": "io.devreg.role"})
        }
        for name in sorted(names):
            want.images.load(b"".join(have.images.get(name).save(named=name)))


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_subnet() -> str:
    """A subnet that no interface of this machine has."""
    taken = run("ip", "-4", "address").stdout
    return next(f"10.213.{n}.0/24" for n in range(1, 255) if f" 10.213.{n}." not in taken)


def client(engine: Engine) -> "closing[docker.DockerClient]":
    """An SDK client, to be closed by `with`."""
    return closing(engine.client())
