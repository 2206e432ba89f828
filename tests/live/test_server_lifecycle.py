"""The server's life: what is in its way, what it survives, and what stays when it goes."""

import os
import signal
import socket
import socketserver
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Thread

import pytest

from tests.live.conftest import PASSWORD, USER, Server, client, free_port, start_server
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.images import busybox_image
from tests.live.lab.wire import Wire, basic

NAMES = ("devreg-registry", "devreg-nginx")


@pytest.fixture(scope="module")
def address() -> str:
    """Where the server is, unless a test moves it."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def up(spare_engine: Engine, root: Devreg, address: str) -> Server:
    """A running server with one image in it, on an engine that may be harmed."""
    if not spare_engine.answers():
        spare_engine.start()
    start_server(root, address)
    server = Server(spare_engine, address)
    manifest = server.pusher.image("kept", "2024-01-02T03:04:05Z", [b"layer"])
    server.pusher.put_manifest("kept", "1", manifest)
    return server


@pytest.fixture
def nothing(spare_engine: Engine, root: Devreg) -> Engine:
    """The engine without any trace of a server."""
    root.ok("registry", "down", "--volumes", "--yes")
    assert left(spare_engine) == []
    return spare_engine


def left(engine: Engine) -> list[str]:
    with client(engine) as sdk:
        containers = [str(each.name) for each in sdk.containers.list(all=True)]
        volumes = [str(each.name) for each in sdk.volumes.list()]
        networks = [str(each.name) for each in sdk.networks.list(filters={"type": "custom"})]
    return sorted(containers + volumes + networks)


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.2)
    return holds()


def healthy(root: Devreg) -> bool:
    return bool(root.ok("registry", "status", "--json").data["healthy"])


def tag_is_there(server: Server) -> bool:
    return bool(server.anybody("GET", "/v2/kept/tags/list").document.get("tags") == ["1"])


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_container_serves_again_once_started(up: Server, root: Devreg, name: str) -> None:
    with client(up.engine) as sdk:
        sdk.containers.get(name).kill()
        assert not healthy(root)
        sdk.containers.get(name).start()
    assert eventually(lambda: healthy(root))
    assert tag_is_there(up)
    assert up.pusher("POST", "/v2/x/blobs/uploads/").status == 202


def test_up_brings_a_killed_server_back(up: Server, root: Devreg) -> None:
    with client(up.engine) as sdk:
        for name in NAMES:
            sdk.containers.get(name).kill()
    again = root.ok("registry", "up", "--json").document
    assert again["changed"] is True
    assert again["data"]["address"] == up.address, "`up` without --listen moved the server"
    assert again["data"]["password"] is None, "there was a user already"
    assert tag_is_there(up)
    assert up.pusher("GET", "/v2/").status == 200


def test_the_server_comes_back_with_the_engine(up: Server, root: Devreg) -> None:
    up.engine.stop()
    up.engine.start()
    assert eventually(lambda: healthy(root))
    assert tag_is_there(up)
    assert root.ok("registry", "up", "--json").document["changed"] is False


def test_the_server_comes_back_with_an_engine_that_was_killed(up: Server, root: Devreg) -> None:
    with client(up.engine) as sdk:
        served = [int(sdk.containers.get(name).attrs["State"]["Pid"]) for name in NAMES]
    for pid in (up.engine.pid, *served):
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not up.engine.answers())
    up.engine.start()
    assert eventually(lambda: healthy(root))
    assert tag_is_there(up)


def test_another_listen_moves_the_server(up: Server, root: Devreg) -> None:
    elsewhere = f"127.0.0.1:{free_port()}"
    moved = root.ok("registry", "up", "--listen", elsewhere, "--json").document
    assert moved["changed"] is True
    assert moved["data"]["address"] == elsewhere
    assert tag_is_there(Server(up.engine, elsewhere))
    with pytest.raises(OSError, match="refused"):
        up.anybody("GET", "/v2/")


def test_down_keeps_images_and_users(up: Server, root: Devreg) -> None:
    root.ok("registry", "user", "add", "held", "--push", "team/*", "--password-stdin", input=PASSWORD)
    root.ok("registry", "down")
    with client(up.engine) as sdk:
        assert sdk.containers.list(all=True) == []
    assert root.ok("registry", "status", "--json").data["running"] is False
    assert root.ok("registry", "down", "--json").document["changed"] is False
    again = root.ok("registry", "up", "--listen", up.address, "--json").data
    assert again["password"] is None
    assert tag_is_there(up)
    assert up.pusher("POST", "/v2/x/blobs/uploads/").status == 202
    held = Wire(up.address, basic("held", PASSWORD))
    assert [held("POST", f"/v2/{name}/x/blobs/uploads/").status for name in ("team", "other")] == [202, 403]


def test_down_keeps_where_it_listens_and_what_it_was_told(up: Server, root: Devreg) -> None:
    root.ok("registry", "up", "--tls", "self-signed", "--domain", "registry.example.com")
    root.ok("registry", "down")
    again = root.ok("registry", "up", "--json").data
    port = up.address.rpartition(":")[2]
    assert (again["tls"], again["address"]) == ("self-signed", f"registry.example.com:{port}")
    root.ok("registry", "down", "--volumes", "--yes")
    start_server(root, up.address)
    new = root.ok("registry", "status", "--json").data
    assert (new["tls"], new["address"]) == ("off", up.address)


def test_down_with_the_volumes_has_to_be_agreed_to(up: Server, root: Devreg) -> None:
    root.fails(2, "registry", "down", "--volumes")
    assert tag_is_there(up)
    root.ok("registry", "down", "--volumes", "--yes")
    assert left(up.engine) == []


def test_the_first_password_is_generated_and_shown_once(root: Devreg, nothing: Engine) -> None:
    address = f"127.0.0.1:{free_port()}"
    made = root.ok("registry", "up", "--listen", address, "--user", "first", "--json").data
    assert (made["user"], len(made["password"])) == ("first", 24)
    assert Server(nothing, address, "first", made["password"]).pusher("GET", "/v2/").status == 200
    again = root.ok("registry", "up")
    assert made["password"] not in again.said
    assert made["password"] not in root.ok("registry", "status", "--json").said
    root.ok("registry", "down", "--volumes", "--yes")
    assert left(nothing) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_foreign_container_of_that_name_is_named_and_left_alone(root: Devreg, nothing: Engine, name: str) -> None:
    with client(nothing) as sdk:
        image = busybox_image(sdk, "lab-busybox:1")
        foreign = sdk.containers.run(image, ["sleep", "600"], name=name, detach=True, init=True)
        try:
            done = root.fails(24, "registry", "up", "--listen", f"127.0.0.1:{free_port()}")
            assert name in done.stderr
            foreign.reload()
            assert foreign.status == "running"
            assert [each.name for each in sdk.containers.list(all=True)] == [name]
        finally:
            foreign.remove(force=True)


def test_a_port_that_a_program_listens_on_is_named(root: Devreg, nothing: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = root.fails(24, "registry", "up", "--listen", f"127.0.0.1:{listener.getsockname()[1]}")
        assert f"(pid {os.getpid()})" in done.stderr
    with client(nothing) as sdk:
        assert sdk.containers.list(all=True) == []


def test_a_port_that_a_container_is_published_on_is_named(root: Devreg, nothing: Engine) -> None:
    port = free_port()
    with client(nothing) as sdk:
        image = busybox_image(sdk, "lab-busybox:1")
        command = ["httpd", "-f", "-p", "80"]
        other = sdk.containers.run(
            image, command, name="somebodys", detach=True, init=True, ports={"80/tcp": ("127.0.0.1", port)}
        )
        try:
            done = root.fails(24, "registry", "up", "--listen", f"127.0.0.1:{port}")
            assert "somebodys" in done.stderr
            assert [each.name for each in sdk.containers.list(all=True)] == ["somebodys"]
        finally:
            other.remove(force=True)


def test_moving_to_a_busy_port_leaves_the_server_where_it_is(up: Server, root: Devreg) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        root.fails(24, "registry", "up", "--listen", f"127.0.0.1:{listener.getsockname()[1]}")
    assert tag_is_there(up)


def test_an_address_that_is_not_this_machines_leaves_nothing_behind(root: Devreg, nothing: Engine) -> None:
    root.fails(30, "registry", "up", "--listen", f"198.51.100.7:{free_port()}", "--plain-http")
    with client(nothing) as sdk:
        assert sdk.containers.list(all=True) == []


def test_the_registry_gets_the_callers_address_but_not_the_password(up: Server) -> None:
    """A recorder takes the registry's place behind the same nginx."""
    forged = {"X-Real-IP": "6.6.6.6", "X-Forwarded-Proto": "gopher", **basic(USER, PASSWORD)}
    with recorder(up) as seen:
        assert up.anybody("GET", "/v2/_catalog", forged).status == 200
        assert up.anybody("POST", "/v2/x/blobs/uploads/", forged).status == 200
    assert len(seen) == 2
    for headers in seen:
        assert "authorization" not in headers
        assert headers["x-real-ip"] not in ("6.6.6.6", "")
        assert headers["x-forwarded-for"] == headers["x-real-ip"]
        assert headers["x-forwarded-proto"] == "http"
        assert headers["x-nginx-proxy"] == "true"
        assert headers["host"] == up.address


@contextmanager
def recorder(server: Server) -> Iterator[list[dict[str, str]]]:
    """Stop the registry and listen on its socket: gives the headers of each request that nginx passes on."""
    path = server.engine.root / "data/volumes/devreg_socket/_data/registry.sock"
    seen: list[dict[str, str]] = []

    class Recorder(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines = list(iter(lambda: self.rfile.readline().decode().strip(), ""))
            pairs = [line.partition(": ") for line in lines[1:]]
            seen.append({name.lower(): value for name, _, value in pairs})
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    with closing(server.engine.client()) as sdk:
        registry = sdk.containers.get("devreg-registry")
        registry.stop()
        path.unlink(missing_ok=True)
        with socketserver.UnixStreamServer(str(path), Recorder) as listener:
            path.chmod(0o777)
            thread = Thread(target=listener.serve_forever)
            thread.start()
            try:
                yield seen
            finally:
                listener.shutdown()
                thread.join()
        path.unlink()
        registry.start()
