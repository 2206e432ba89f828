"""Rules of the reference's nginx, on the real server: those that the other tests of the server leave open."""

import re
import socket
import time
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.live.conftest import Server
from tests.live.lab.run import need, run
from tests.live.lab.wire import VERSION, Answer, basic
from tests.live.test_server_lifecycle import recorder

# As the reference has it.
OLD_DOCKER = re.compile(r"^(docker\/1\.(3|4|5(?!\.[0-9]-dev))|Go ).*$")
AGENTS = """\
docker/1.3.0
docker/1.3.3 go/go1.3
docker/1.4.1 go/go1.3.3 kernel/3.16
docker/1.5
docker/1.5.0
docker/1.5.0 go/go1.4.1
docker/1.5.0-rc1
docker/1.5.10-dev
Go 1.1 package http
docker/1.5.0-dev
docker/1.5.1-dev go/go1.4
docker/1.2.0
docker/1.6.0
docker/1.6.0-dev
docker/1.10.3 go/go1.5.3
docker/1.13.1
docker/20.10.24 go/go1.19.8 UpstreamClient(docker-sdk-python/7.1.0)
docker/28.5.2
Go
Go-http-client/1.1
go 1.1 package http
Golang
containers/5.24.1 (github.com/containers/image)
containerd/1.6.20
buildkit/v0.12
curl/7.88.1
devreg/0.1.0""".splitlines()
OTHER_METHODS = (
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "PROPFIND",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "PURGE",
    "QUERY",
)
TERABYTE = 1 << 40


@pytest.mark.parametrize("agent", AGENTS)
def test_the_agents_that_the_pattern_names_are_turned_away_and_no_others(server: Server, agent: str) -> None:
    turned_away = OLD_DOCKER.match(agent) is not None
    for method, path in (("GET", "/v2/_catalog"), ("GET", "/v2/token"), ("HEAD", "/v2/token")):
        answer = server.anybody(method, path, {"User-Agent": agent})
        assert answer.status == (404 if turned_away else 200), f"{method} {path}"
    assert server.pusher("POST", "/v2/old/blobs/uploads/", {"User-Agent": agent}).status == (
        404 if turned_away else 202
    )


@pytest.mark.parametrize("method", OTHER_METHODS)
def test_every_method_but_get_and_head_needs_a_user(server: Server, method: str) -> None:
    for path in ("/v2/any/blobs/uploads/", "/v2/any/manifests/1", "/v2/_catalog"):
        assert server.anybody(method, path, body=b"x").status == 401, path
        assert server.pusher(method, path, body=b"x").status not in (401, 403), path


@pytest.mark.parametrize("method", ["TRACE", "get", "Post", "G"])
def test_what_is_no_method_of_http_goes_nowhere(server: Server, method: str) -> None:
    assert server.anybody(method, "/v2/any/blobs/uploads/").status in (400, 401, 405)


def test_a_body_beyond_nginx_own_limit_with_its_length_announced(server: Server) -> None:
    blob = server.pusher.put_blob("announced", b"5 megabytes" * 500_000)
    assert server.anybody("HEAD", f"/v2/announced/blobs/{blob['digest']}").one("Content-Length") == "5500000"


def test_a_body_of_a_terabyte_is_begun(server: Server) -> None:
    """nginx decides by the length that is announced; the registry has the first bytes while the rest is to come."""
    location = server.pusher.begin_upload("huge")
    host, _, port = server.address.rpartition(":")
    credential = basic(server.user, server.password)["Authorization"]
    head = (
        f"PATCH {location} HTTP/1.1\r\nHost: {server.address}\r\nAuthorization: {credential}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {TERABYTE}\r\n\r\n"
    )
    with closing(socket.create_connection((host, int(port)), timeout=30)) as line:
        line.sendall(head.encode() + b"x" * (1 << 20))
        deadline = time.monotonic() + 30
        while stored_size(server, location) == 0:
            assert time.monotonic() < deadline, "the registry has got nothing"
            time.sleep(0.1)
        line.settimeout(1)
        with pytest.raises(TimeoutError):
            line.recv(1)  # a refusal would be here now


def stored_size(server: Server, location: str) -> int:
    """The bytes that the registry has of an upload, in its volume."""
    volume = server.engine.root / "data/volumes/devreg_registry/_data"
    (file,) = volume.glob(f"**/_uploads/{urlsplit(location).path.rpartition('/')[2]}/data")
    return file.stat().st_size


@pytest.mark.parametrize(
    "directive",
    [
        "client_max_body_size 0",
        "client_body_timeout 900",
        "send_timeout 900",
        "proxy_read_timeout 900",
        "proxy_send_timeout 900",
        "proxy_request_buffering off",
        "proxy_buffering off",
        "chunked_transfer_encoding on",
    ],
)
def test_the_running_nginx_is_configured_so(configuration: str, directive: str) -> None:
    name, _, value = directive.partition(" ")
    assert set(re.findall(rf"^\s*{name} ([^;]+);", configuration, re.MULTILINE)) == {value}


@pytest.fixture(scope="module")
def configuration(server: Server) -> str:
    """All that the nginx of the running container reads."""
    shown = ("exec", "devreg-nginx", "nginx", "-T", "-c", "/etc/devreg/nginx.conf")
    return run(need("docker", "docker.io"), *shown, env=server.engine.env()).stdout


def test_the_version_is_added_where_the_registry_does_not_send_it(server: Server) -> None:
    with recorder(server) as seen:
        for method in ("GET", "HEAD", "POST", "DELETE"):
            assert versions(server.pusher(method, "/v2/any/manifests/1")) == ["registry/2.0"], method
    assert len(seen) == 4
    assert all("docker-distribution-api-version" not in headers for headers in seen)


def test_the_callers_before_are_handed_on(server: Server) -> None:
    with recorder(server) as seen:
        server.anybody("GET", "/v2/_catalog", {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
    (headers,) = seen
    assert headers["x-forwarded-for"] == f"192.0.2.7, {headers['x-real-ip']}"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["host"] == server.address


def test_without_a_registry_the_answer_is_a_502_that_names_the_version_once(server: Server) -> None:
    with closing(server.engine.client()) as sdk:
        registry = sdk.containers.get("devreg-registry")
        registry.stop()
        try:
            for answer in (server.anybody("GET", "/v2/_catalog"), server.pusher("POST", "/v2/any/blobs/uploads/")):
                assert answer.status == 502
                assert versions(answer) == ["registry/2.0"]
            assert server.anybody("POST", "/v2/any/blobs/uploads/").status == 401
        finally:
            registry.start()
    deadline = time.monotonic() + 30
    while server.anybody("GET", "/v2/_catalog").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def versions(answer: Answer) -> list[str]:
    return answer.all(VERSION)
