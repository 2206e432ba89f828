"""`registry up --external-auth URL`: another service checks passwords, here a real one over HTTP and HTTPS."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trustme

from tests.live.conftest import PASSWORD, Server, free_port
from tests.live.lab.clients import DockerCli, Skopeo
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.images import busybox_image
from tests.live.lab.password_service import PasswordService, host_of, password_service
from tests.live.lab.wire import VERSION, Wire, basic

USERS = {"carol": PASSWORD}
NAMED = "auth.example"


@pytest.fixture
def service(spare_engine: Engine) -> Iterator[PasswordService]:
    with password_service(host_of(spare_engine), USERS) as running:
        yield running


@pytest.fixture
def up(spare_engine: Engine, root: Devreg, service: PasswordService) -> Server:
    """The server, whose users are the service's."""
    address = f"127.0.0.1:{free_port()}"
    done = root.ok("registry", "up", "--listen", address, "--external-auth", service.url)
    assert "plain HTTP" in done.stderr
    assert "password" not in done.stdout, "no user of the registry's own is made"
    return Server(spare_engine, address, "carol")


def test_the_service_says_who_may_push_and_where(up: Server, service: PasswordService) -> None:
    assert up.pusher("GET", "/v2/").status == 200
    assert up.pusher("POST", "/v2/team/x/blobs/uploads/").status == 202
    refused = up.pusher("POST", "/v2/other/blobs/uploads/", {"X-Registry-Repository": "team/x"})
    assert (refused.status, refused.document["errors"][0]["code"]) == (403, "DENIED")
    asked = len(service.seen)
    assert up.anybody("GET", "/v2/_catalog").status == 200
    assert up.anybody("POST", "/v2/team/x/blobs/uploads/").status == 401
    assert len(service.seen) == asked, "it is asked only where there is a password to check"


def test_a_wrong_password_is_refused_with_our_challenge_alone(up: Server) -> None:
    for user, password in (("carol", "wrong"), ("nobody", PASSWORD)):
        answer = Wire(up.address, basic(user, password))("POST", "/v2/team/x/blobs/uploads/")
        assert answer.status == 401
        assert answer.all("WWW-Authenticate") == [f'Bearer realm="http://{up.address}/v2/token",service="devreg"']
        assert Wire(up.address, basic(user, password))("GET", "/v2/token").status == 401


def test_it_is_told_what_is_wanted_and_nothing_else_of_the_client(up: Server, service: PasswordService) -> None:
    up.pusher("DELETE", "/v2/team/x/manifests/1", {"Cookie": "a=b", "X-Remote-User": "root", "X-Meta": "1"})
    seen = service.seen[-1]
    assert seen["path"] == "/check/registry"
    assert (seen["x-original-method"], seen["x-original-uri"]) == ("DELETE", "/v2/team/x/manifests/1")
    assert seen["authorization"] == basic("carol", PASSWORD)["Authorization"]
    known = {"authorization", "connection", "host", "path", "x-original-method", "x-original-uri", "x-real-ip"}
    assert set(seen) == known | {"x-registry-repository"}


@pytest.mark.parametrize("status", [500, 302, 404])
def test_a_service_that_is_out_of_order_lets_nobody_in(up: Server, service: PasswordService, status: int) -> None:
    service.status = status
    for answer in (
        up.pusher("POST", "/v2/team/x/blobs/uploads/"),
        up.pusher("GET", "/v2/token"),
        up.pusher("GET", "/v2/"),
    ):
        assert answer.status == 503
        assert answer.document["errors"][0]["code"] == "UNAVAILABLE"
        assert answer.all(VERSION) == ["registry/2.0"]
    assert up.anybody("GET", "/v2/_catalog").status == 200, "pulling needs no service"


def test_a_service_that_is_gone_lets_nobody_in(spare_engine: Engine, root: Devreg, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with password_service(host_of(spare_engine), USERS) as service:
        root.ok("registry", "up", "--listen", address, "--external-auth", service.url)
    server = Server(spare_engine, address, "carol")
    assert server.pusher("POST", "/v2/team/x/blobs/uploads/").status == 503
    assert not DockerCli(spare_engine, address, tmp_path).login("carol", PASSWORD)


def test_clients_log_in_with_the_services_passwords(up: Server, tmp_path: Path) -> None:
    docker = DockerCli(up.engine, up.address, tmp_path / "docker")
    assert not docker.login("carol", "wrong")
    assert docker.login("carol", PASSWORD)
    assert docker.push("team/app:1")
    assert not docker.push("other/app:1")
    skopeo = Skopeo(tmp_path / "none.tar", up.address, tmp_path / "skopeo")
    assert not skopeo.login("carol", "wrong")
    assert skopeo.login("carol", PASSWORD)
    assert skopeo.pull("team/app:1")


def test_it_stays_until_it_is_taken_away(up: Server, root: Devreg, service: PasswordService) -> None:
    again = root.ok("registry", "up", "--json")
    assert (again.document["changed"], again.data["external_auth"]) == (False, service.url)
    add = ("registry", "user", "add", "dave", "--password-stdin")
    assert service.url in root.fails(30, *add, input=PASSWORD).stderr
    off = root.ok("registry", "up", "--external-auth", "off", "--user", "dave", "--password-stdin", input=PASSWORD)
    assert "dave" in root.ok("registry", "user", "list").stdout or "already" in off.stderr
    assert up.pusher("GET", "/v2/").status == 401
    root.ok(*add, input=PASSWORD)
    assert Wire(up.address, basic("dave", PASSWORD))("GET", "/v2/").status == 200


def test_over_https_the_service_has_to_prove_who_it_is(spare_engine: Engine, root: Devreg, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    root.ok("registry", "up", "--listen", address)
    ours, foreign = trustme.CA(), trustme.CA()
    for name, authority in (("ours", ours), ("foreign", foreign)):
        authority.cert_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    for name in (NAMED, "other.example"):
        ours.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / name))
    server = Server(spare_engine, address, "carol")
    for pair, vouching, status in ((NAMED, "ours", 202), (NAMED, "foreign", 503), ("other.example", "ours", 503)):
        with named_service(spare_engine, tmp_path / pair) as service:
            authority_file = str(tmp_path / f"{vouching}.pem")
            root.ok("registry", "up", "--external-auth", service.url, "--external-auth-ca", authority_file)
            assert server.pusher("POST", "/v2/team/x/blobs/uploads/").status == status, (pair, vouching)
            assert bool(service.seen) == (status == 202), "no secret goes to a stranger"
    with named_service(spare_engine, tmp_path / NAMED) as service:
        root.ok("registry", "up", "--external-auth", service.url)
        assert server.pusher("POST", "/v2/team/x/blobs/uploads/").status == 503, (
            "the system's authorities do not know it"
        )
        assert service.seen == []
    root.ok("registry", "down")


@contextmanager
def named_service(engine: Engine, pair: Path) -> Iterator[PasswordService]:
    """The service over HTTPS, with the name NAMED in the server's network: that of a container that leads to it."""
    host = host_of(engine)
    with password_service(host, USERS, pair) as service, closing(engine.client()) as sdk:
        port = service.url.rpartition(":")[2].partition("/")[0]
        relay = ["nc", "-ll", "-p", "8443", "-e", "nc", host, port]
        image = busybox_image(sdk, "lab-busybox:1")
        container = sdk.containers.run(image, relay, name=NAMED, network="devreg_registry", detach=True, init=True)
        service.url = f"https://{NAMED}:8443/check/registry"
        try:
            yield service
        finally:
            container.remove(force=True)


@pytest.mark.parametrize(
    "url",
    [
        "ldap://x",
        "http://u:p@host/",
        "http://host/?a=b",
        "http://host/;}",
        "http://127.0.0.1:1/",
        "http://$host/",
        "https://192.0.2.1/",
        "x",
    ],
)
def test_what_cannot_be_asked_is_refused(root: Devreg, url: str) -> None:
    root.fails(2, "registry", "up", "--external-auth", url)
