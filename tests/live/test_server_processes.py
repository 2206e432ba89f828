"""The registry server as plain processes, where no engine answers: for root, and for an ordinary user."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from threading import Event

import psutil
import pytest

from tests.live.conftest import PASSWORD, USER, free_port
from tests.live.lab.clients import Skopeo
from tests.live.lab.devreg import Devreg, Nobody, with_own_state
from tests.live.lab.layouts import multi_platform
from tests.live.lab.run import search_path
from tests.live.lab.wire import Wire, basic, digest_of
from tests.live.test_readme import EXAMPLES

NO_ENGINE = "unix:///nowhere/docker.sock"
NOBODY = 65534
UP = ("--user", USER, "--password-stdin")


@dataclass(frozen=True)
class Server:
    """The server of `owner`, whose files are in `folder`."""

    owner: Devreg
    folder: Path
    address: str

    @property
    def anybody(self) -> Wire:
        return Wire(self.address)

    @property
    def pusher(self) -> Wire:
        return Wire(self.address, basic(USER, PASSWORD))

    def answers(self) -> bool:
        try:
            return self.anybody("GET", "/v2/_catalog").status == 200
        except OSError:
            return False

    def serves(self) -> bool:
        """Whether what was pushed is there, and the user may push more."""
        try:
            kept = self.anybody("GET", "/v2/kept/tags/list")
            return kept.status == 200 and self.pusher("POST", "/v2/x/blobs/uploads/").status == 202
        except OSError:
            return False

    def processes(self) -> dict[str, list[psutil.Process]]:
        """What runs, by what it is."""
        found: dict[str, list[psutil.Process]] = {}
        supervisors = [each for each in psutil.process_iter() if _is_supervisor(each, self.folder)]
        for process in [each for one in supervisors for each in (one, *one.children(recursive=True))]:
            found.setdefault(_role(process), []).append(process)
        return found


def _is_supervisor(process: psutil.Process, folder: Path) -> bool:
    """By its working folder: root's is called /var/lib/devreg in the namespace of each of the tests' users."""
    try:
        return "supervisor.supervisord" in process.cmdline() and Path(f"/proc/{process.pid}/cwd").samefile(
            folder / "run"
        )
    except (psutil.Error, OSError):
        return False


def _role(process: psutil.Process) -> str:
    words = " ".join(process.cmdline())
    if process.name() == "sh":
        return "registry's shell" if "docker-registry" in words else "nginx' shell"
    if process.name() == "nginx":
        return "nginx" if "master" in words else "worker"
    return "registry" if "registry" in process.name() else "supervisord"


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()


OWNERS = ("root", "ordinary user")


def owner_of(kind: str, folders: pytest.TempPathFactory) -> Devreg:
    """Who runs a server, one of OWNERS. The ordinary user's home is deeper than the path of a socket may be."""
    if kind == "root":
        return with_own_state(Devreg(folders.mktemp("root"), NO_ENGINE))
    home = folders.mktemp("home") / ("deep-" * 20)
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    return Nobody(home, NO_ENGINE)


@pytest.fixture(scope="module", params=OWNERS)
def owner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devreg]:
    user = owner_of(request.param, tmp_path_factory)
    yield user
    user("registry", "down", "--volumes", "--yes")  # which finds nothing after a test that did it, and says so


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def home_address() -> str:
    return f"127.0.0.1:{free_port()}"


def started(owner: Devreg, address: str) -> Server:
    """The owner's server, running."""
    owner.ok("registry", "up", "--listen", address, *UP, input=f"{PASSWORD}\n")
    folder = owner.state if owner.state else owner.folder / "state/devreg"
    return Server(owner, folder / "registry", address)


@pytest.fixture
def up(owner: Devreg, home_address: str) -> Server:
    """A running server with one image in it."""
    server = started(owner, home_address)
    server.pusher.put_manifest("kept", "1", server.pusher.image("kept", "2024-01-02T03:04:05Z", [b"layer"]))
    return server


def test_it_says_why_it_runs_as_processes(owner: Devreg, home_address: str) -> None:
    done = owner.ok("registry", "up", "--listen", home_address, *UP, input=f"{PASSWORD}\n")
    why = f"no engine answers at {NO_ENGINE}: running the registry as plain processes instead of containers"
    assert why in done.stderr
    status = owner.ok("registry", "status", "--json").data
    assert (status["runtime"], status["running"], status["healthy"]) == ("processes", True, True)
    assert (status["users"], status["address"], status["volume"]) == ([USER], home_address, None)
    assert status["folder"].endswith("devreg/registry")


def test_a_second_up_changes_nothing(up: Server) -> None:
    before = up.processes()
    assert set(before) == {"supervisord", "nginx' shell", "registry's shell", "nginx", "worker", "registry"}
    again = up.owner.ok("registry", "up", "--json").document
    assert again["changed"] is False
    assert up.processes() == before


def test_nothing_of_it_is_open_to_others(up: Server) -> None:
    for path in up.folder.rglob("*"):
        assert not path.lstat().st_mode & stat.S_IRWXO or not _may_enter(path.parent, up.folder), path
    assert stat.S_IMODE((up.folder / "users/htpasswd").stat().st_mode) == 0o640
    assert stat.S_IMODE((up.folder / "conf/supervisord.conf").stat().st_mode) == 0o600


def _may_enter(folder: Path, top: Path) -> bool:
    """Whether others may enter all folders from `top` on."""
    within = [each for each in (folder, *folder.parents) if each == top or top in each.parents]
    return all(each.stat().st_mode & stat.S_IXOTH for each in within)


def test_root_gives_its_rights_up(up: Server) -> None:
    users = {role: {each.username() for each in found} for role, found in up.processes().items()}
    if up.owner.state is None:
        assert set().union(*users.values()) == {"nobody"}
    else:
        assert (users["registry"], users["worker"]) == ({"daemon"}, {"www-data"})
        assert users["nginx"] == {"root"}


def test_clients_push_with_a_password_and_pull_without(up: Server, tmp_path: Path) -> None:
    layout, digest = multi_platform(tmp_path / "layout", f"{up.address}/app:1")
    up.owner.ok("login", up.address, "-u", USER, "--password-stdin", input=PASSWORD)
    pushed = up.owner.ok("push", str(layout.folder), "--to", up.address, "--as", "app:1", "--json").data["pushed"]
    assert [each["digest"] for each in pushed] == [digest]
    assert up.anybody.manifest("app", "1").one("Docker-Content-Digest") == digest
    stranger = Skopeo(tmp_path / "none", up.address, tmp_path / "skopeo")
    (tmp_path / "skopeo").mkdir()
    assert stranger.pull("app:1")
    assert not stranger.login(USER, "wrong")
    assert stranger.login(USER, PASSWORD)
    assert up.anybody("POST", "/v2/app/blobs/uploads/").status == 401
    up.owner.fails(21, "login", up.address, "-u", USER, "--password-stdin", input="wrong")


def test_users_come_and_go_without_a_restart(up: Server) -> None:
    before = up.processes()
    up.owner.ok("registry", "user", "add", "guest", "--password-stdin", input="first\n")
    guest = Wire(up.address, basic("guest", "first"))
    assert guest("POST", "/v2/x/blobs/uploads/").status == 202
    assert up.owner.ok("registry", "user", "list").stdout.split() == sorted([USER, "guest"])
    up.owner.ok("registry", "user", "remove", "guest")
    assert guest("POST", "/v2/x/blobs/uploads/").status == 401
    assert up.processes() == before


@pytest.mark.parametrize("role", ["nginx", "worker", "registry", "nginx' shell", "registry's shell"])
def test_what_is_killed_comes_back(up: Server, role: str) -> None:
    killed = up.processes()[role]
    for process in killed:
        process.kill()
    assert eventually(lambda: up.serves() and not set(killed) & set(up.processes().get(role, killed)))
    assert eventually(lambda: len(up.processes()["nginx"]) == 1 and len(up.processes()["registry"]) == 1)
    assert up.owner.ok("registry", "up", "--json").document["changed"] is False


def test_without_its_supervisor_nothing_goes_on_and_up_brings_all_back(up: Server) -> None:
    found = [each for some in up.processes().values() for each in some]
    up.processes()["supervisord"][0].kill()
    assert eventually(lambda: not any(_lives(each) for each in found))
    assert up.owner.ok("registry", "status", "--json").data["running"] is False
    again = up.owner.ok("registry", "up", "--json").document
    assert (again["changed"], again["data"]["address"]) == (True, up.address)
    assert up.serves()


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_an_upload_goes_on_after_the_registry_was_killed(up: Server) -> None:
    at = up.pusher.begin_upload("half")
    first = up.pusher("PATCH", at, {"Content-Type": "application/octet-stream"}, b"first ")
    assert first.status == 202
    up.processes()["registry"][0].kill()
    assert eventually(up.serves)
    location = first.one("Location").removeprefix(f"http://{up.address}")
    assert up.pusher("PATCH", location, {"Content-Type": "application/octet-stream"}, b"second").status == 202


def test_what_was_acknowledged_while_all_was_killed_is_there(up: Server) -> None:
    """Eight clients push while the registry and nginx are killed under them; each begins anew until it was told yes."""

    def push(number: int) -> str:
        deadline = time.monotonic() + 60
        while True:
            try:
                layers = [f"{number} {part}".encode() * 10_000 for part in range(5)]
                manifest = up.pusher.image(f"fleet/{number}", "2024-01-02T03:04:05Z", layers)
                return up.pusher.put_manifest(f"fleet/{number}", "1", manifest)
            except (OSError, HTTPException, AssertionError):
                assert time.monotonic() < deadline
                time.sleep(0.2)

    with ThreadPoolExecutor(8) as pool:
        pushes = [pool.submit(push, number) for number in range(40)]
        for role in ("registry", "nginx", "registry", "nginx"):
            for process in up.processes().get(role, []):
                process.kill()
            assert eventually(up.answers), (up.folder / "log/supervisor.log").read_text()[-3000:]
        acknowledged = [each.result() for each in pushes]
    for number, digest in enumerate(acknowledged):
        answer = up.anybody.manifest(f"fleet/{number}", digest)
        assert answer.status == 200
        for layer in answer.document["layers"]:
            blob = up.anybody("GET", f"/v2/fleet/{number}/blobs/{layer['digest']}").body
            assert digest_of(blob) == layer["digest"]


def test_a_program_that_does_not_start_is_told_with_its_words(up: Server) -> None:
    """The registry cannot: something is where its socket belongs. Once that is gone it comes back by itself."""
    socket_path = up.folder / "run/registry/socket"
    while not socket_path.is_dir():  # the registry that is started meanwhile may be faster
        for process in up.processes().get("registry", []):
            process.kill()
        socket_path.unlink(missing_ok=True)
        with suppress(FileExistsError, NotADirectoryError):
            (socket_path / "in-the-way").mkdir(parents=True)
    refused = up.owner.fails(30, "registry", "up")
    assert "registry does not stay up: " in refused.stderr
    assert "registry/socket" in refused.stderr
    assert up.owner.ok("registry", "status", "--json").data["healthy"] is False
    shutil.rmtree(socket_path)
    assert eventually(up.serves)


def test_down_keeps_images_and_users_and_leaves_no_process(up: Server) -> None:
    found = [each for some in up.processes().values() for each in some]
    assert up.owner.ok("registry", "down", "--json").document["changed"] is True
    assert not any(_lives(each) for each in found)
    assert not up.answers()
    assert up.owner.ok("registry", "down", "--json").document["changed"] is False
    again = up.owner.ok("registry", "up", "--json").document["data"]
    assert (again["address"], again["password"], again["healthy"]) == (up.address, None, True)
    assert up.serves()


def test_another_listen_takes_over_without_breaking_an_upload(up: Server, address: str) -> None:
    nginx, registry = up.processes()["nginx"], up.processes()["registry"]
    at, moved = up.pusher.begin_upload("slow"), Event()

    def slowly() -> Iterator[bytes]:
        yield b"before "
        assert moved.wait(60)
        yield b"after"

    with ThreadPoolExecutor(1) as pool:
        upload = pool.submit(up.pusher, "PATCH", at, {"Content-Type": "application/octet-stream"}, slowly())
        try:
            assert up.owner.ok("registry", "up", "--listen", address, "--json").data["address"] == address
        finally:
            moved.set()
        assert upload.result().status == 202
    assert (up.processes()["nginx"], up.processes()["registry"]) == (nginx, registry)
    assert Server(up.owner, up.folder, address).serves()
    assert eventually(lambda: not up.answers())


def test_what_cannot_be_is_refused_and_what_ran_goes_on(up: Server) -> None:
    before = up.processes()
    refused = up.owner.fails(30, "registry", "up", "--listen", "192.0.2.1:5000", "--plain-http")
    assert "192.0.2.1:5000" in refused.stderr
    assert up.serves()
    assert up.owner.ok("registry", "up", "--json").data["address"] == up.address
    assert [up.processes()[role] for role in ("nginx", "registry")] == [before[role] for role in ("nginx", "registry")]


def test_a_server_that_never_ran_leaves_nothing_running(up: Server) -> None:
    up.owner.ok("registry", "down", "--volumes", "--yes")
    up.owner.fails(30, "registry", "up", "--listen", "192.0.2.1:5000", "--plain-http")
    assert up.owner.ok("registry", "status", "--json").data["running"] is False
    assert up.processes() == {}
    up.owner.ok("registry", "down", "--volumes", "--yes")
    assert not up.folder.exists()


def test_a_port_that_is_taken_is_named_with_who_has_it(up: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = up.owner.fails(24, "registry", "up", "--listen", f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port} is in use by " in refused.stderr
    assert up.serves()


def test_two_at_once_end_with_one_server(up: Server) -> None:
    up.owner.ok("registry", "down")
    both = [up.owner.start("registry", "up", "--json") for _ in range(2)]
    outputs = [each.communicate(timeout=120) for each in both]
    assert [each.returncode for each in both] == [0, 0], outputs
    assert len(up.processes()["supervisord"]) == 1
    assert up.serves()


def test_it_outlives_the_session_that_started_it(up: Server) -> None:
    up.owner.ok("registry", "down")
    session = subprocess.Popen(
        ["sh", "-c", '"$@" && echo done && exec sleep 600', "sh", *up.owner.command("registry", "up", "--json")],
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert session.stdout is not None
    assert "done\n" in iter(session.stdout.readline, "")
    os.killpg(session.pid, signal.SIGHUP)
    os.killpg(session.pid, signal.SIGKILL)
    session.stdout.close()
    session.wait(timeout=30)
    assert up.serves()


def test_a_killed_up_is_made_good_by_the_next(up: Server, address: str) -> None:
    going = up.owner.start("registry", "up", "--listen", address)
    file = up.folder / "conf/nginx.conf"
    assert eventually(lambda: address in file.read_text())
    going.kill()
    going.communicate(timeout=60)
    done = up.owner.ok("registry", "up", "--listen", address, "--json").data
    assert (done["address"], done["healthy"]) == (address, True)
    assert Server(up.owner, up.folder, address).serves()


def test_containers_have_to_wait_until_the_processes_are_down(up: Server) -> None:
    refused = up.owner.fails(24, "registry", "up", "--runtime", "containers")
    assert "the registry runs as processes" in refused.stderr
    up.owner.ok("registry", "down")
    up.owner.fails(13, "registry", "up", "--runtime", "containers")


def test_logs_show_what_nginx_and_the_registry_wrote(up: Server) -> None:
    up.anybody("GET", "/v2/kept/tags/list?n=4711")
    assert "n=4711" in up.owner.ok("registry", "logs", "nginx").stdout
    assert "n=4711" in up.owner.ok("registry", "logs", "registry").stdout
    assert len(up.owner.ok("registry", "logs", "nginx", "-n", "2").stdout.splitlines()) == 2
    assert PASSWORD not in up.owner.ok("registry", "logs", "nginx").stdout


def test_data_can_be_elsewhere_and_a_folder_in_use_is_refused(up: Server, address: str) -> None:
    elsewhere = Path(f"/srv/devreg-test-{os.getpid()}-{up.owner.state is None}")
    elsewhere.mkdir()
    os.chown(elsewhere, *((0, 0) if up.owner.state else (NOBODY, NOBODY)))
    try:
        refused = up.owner.fails(24, "registry", "up", "--data", str(elsewhere))
        assert "cannot move while it does" in refused.stderr
        up.owner.ok("registry", "down")
        (elsewhere / "somebodys").touch()
        assert "in use" in up.owner.fails(24, "registry", "up", "--data", str(elsewhere)).stderr
        (elsewhere / "somebodys").unlink()
        done = up.owner.ok("registry", "up", "--data", str(elsewhere), "--listen", address, "--json").data
        assert (done["folder"], done["healthy"]) == (str(elsewhere), True)
        up.owner.ok("registry", "down", "--volumes", "--yes")
        assert not elsewhere.exists() or not any(elsewhere.iterdir())
    finally:
        up.owner("registry", "down")
        shutil.rmtree(elsewhere, ignore_errors=True)


def test_the_readme_example_works_as_written(up: Server, address: str) -> None:
    up.owner.ok("registry", "down", "--volumes", "--yes")
    script = EXAMPLES["processes"].replace("127.0.0.1:5000", address)
    path = f"{Path(sys.executable).parent}:{search_path()}"
    done = up.owner.shell(script, env={"PATH": path})
    assert done.code == 0, done.said
    assert f"address\t{address}" in done.stdout
    assert not Server(up.owner, up.folder, address).answers()
    up.owner.ok("registry", "down", "--volumes", "--yes")  # with the user that the example has made


def test_the_tour_once_twice_and_undone(up: Server, address: str) -> None:
    owner = up.owner
    owner.ok("registry", "down", "--volumes", "--yes")
    owner.forget_logins()
    first = owner.ok("quickstart", "--yes", "--listen", address, "--json").document
    states = {step["name"]: step["state"] for step in first["data"]["steps"]}
    assert {"registry", "login", "push", "pull"} == {name for name, state in states.items() if state == "changed"}
    assert (first["data"]["address"], first["data"]["runtime"]) == (address, "processes")
    (tag,) = first["data"]["tags"]
    assert (tag["repository"], tag["name"], tag["error"]) == ("devreg-hello", "1", None)
    assert Wire(address).manifest("devreg-hello", "1").one("Docker-Content-Digest") == tag["digest"]
    second = owner.ok("quickstart", "--yes", "--listen", address, "--json").document
    assert (second["changed"], second["data"]["password"]) == (False, None)
    assert owner.ok("quickstart", "--undo", "--yes", "--json").document["changed"] is True
    assert address not in owner.config().get("auths", {})
    state = owner.state or owner.folder / "state/devreg"
    assert [each.name for each in state.iterdir() if each.suffix != ".lock"] == []
    with pytest.raises(OSError, match="refused"):
        Wire(address)("GET", "/v2/")
    assert owner.ok("quickstart", "--undo", "--yes", "--json").document["changed"] is False
