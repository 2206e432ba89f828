"""`registry up --tls`: an authority of the server's own, or a certificate that was given; renewed under an upload."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme

from devreg.server import certificates
from devreg.server.certificates import Pair
from tests.live.conftest import PASSWORD, USER, Server, client, free_port
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.front import free_port_of
from tests.live.lab.images import multi_layer_image
from tests.live.lab.password_service import host_of
from tests.live.lab.run import need, run
from tests.live.lab.slow_upload import slow_upload
from tests.live.lab.wire import basic
from tests.live.test_server import container_ids

DOMAIN = "registry.example.com"


@dataclass(frozen=True)
class Secure:
    """A server with TLS beyond loopback. `authority`: who vouches for it, as a file."""

    engine: Engine
    host: str
    port: int
    authority: Path

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def certificate(self, name: str | None = None) -> bytes:
        """The certificate that is shown to a client who verifies it for a name (DER)."""
        context = ssl.create_default_context(cafile=str(self.authority))
        line = socket.create_connection((self.host, self.port), timeout=10)
        with line, context.wrap_socket(line, server_hostname=name or self.host) as secure:
            return secure.getpeercert(True) or b""

    def curl(self, *words: str) -> str:
        return run(need("curl", "curl"), "-sS", "--noproxy", "*", "--cacert", self.authority, *words).stdout


@pytest.fixture
def secure(spare_engine: Engine, root: Devreg) -> Iterator[Secure]:
    """A server with a certificate of its own authority, on an address that no engine trusts by itself."""
    host = host_of(spare_engine)
    port = free_port_of(host)
    words = ("registry", "up", "--listen", f"{host}:{port}", "--tls", "self-signed", "--domain", DOMAIN)
    done = root.ok(*words, "--user", USER, "--password-stdin", "--json", input=PASSWORD)
    assert done.data["address"] == f"{DOMAIN}:{port}"
    assert root.state
    yield Secure(spare_engine, host, port, root.state / "certs.d" / f"{host}:{port}" / "ca.crt")
    root.ok("registry", "down", "--volumes", "--yes")


def test_clients_verify_it_by_its_authority(secure: Secure, tmp_path: Path) -> None:
    for name in (DOMAIN, secure.host, "localhost", "127.0.0.1"):
        assert secure.certificate(name)
    pinged = secure.curl("-i", f"https://{secure.address}/v2/")
    assert f'realm="https://{secure.address}/v2/token"' in pinged
    assert 'realm="https://registry.example.com' in secure.curl(
        "-i", "--resolve", f"{DOMAIN}:{secure.port}:{secure.host}", f"https://{DOMAIN}:{secure.port}/v2/"
    )
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "ca.crt").write_bytes(secure.authority.read_bytes())
    login = ("login", "-u", USER, "--password-stdin", secure.address)
    env = {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"), "HOME": str(tmp_path)}
    run(need("skopeo", "skopeo"), *login, "--cert-dir", str(folder), input=PASSWORD, env=env)
    assert run("skopeo", *login, input=PASSWORD, env=env, check=False).returncode != 0, "without the authority"


def test_devreg_trusts_its_own_and_docker_once_told(secure: Secure, root: Devreg) -> None:
    again = root.ok("registry", "up")
    assert "nothing had to be changed" in again.stdout
    line = next(line for line in again.stderr.splitlines() if "devreg trust" in line)
    assert f"--ca /var/lib/devreg/certs.d/{DOMAIN}:{secure.port}/ca.crt" in line
    status = root.ok("registry", "status", "--json").data
    assert (status["healthy"], status["tls"]) == (True, "self-signed")
    assert status["certificate_ends"][:10] in again.stderr
    root.ok("login", secure.address, "-u", USER, "--password-stdin", input=PASSWORD)
    with client(secure.engine) as sdk:
        multi_layer_image(sdk, "app:1", 2, 0.1)
    root.ok("push", "app:1", "--to", secure.address, "--via", "direct")
    refused = root.fails(20, "pull", f"{secure.address}/app:1")
    assert "certificate" in refused.stderr
    root.ok("trust", secure.address, "--ca", f"/var/lib/devreg/certs.d/{secure.address}/ca.crt")
    try:
        with client(secure.engine) as sdk:
            sdk.images.pull(f"{secure.address}/app", tag="1")
            multi_layer_image(sdk, f"{secure.address}/by-docker:1", 2, 0.1)
            auth = {"username": USER, "password": PASSWORD}
            pushed = list(sdk.api.push(f"{secure.address}/by-docker:1", stream=True, decode=True, auth_config=auth))
            assert not [each for each in pushed if "error" in each]
    finally:
        root.ok("untrust", secure.address)


def test_the_keys_are_nobodys_to_read(secure: Secure, root: Devreg) -> None:
    assert root.state
    assert (root.state / "server-ca/ca.key").stat().st_mode & 0o777 == 0o600
    assert (root.state / "server-ca").stat().st_mode & 0o777 == 0o700
    assert secure.authority.stat().st_mode & 0o777 == 0o644
    server = secure.engine.root / "data/volumes/devreg_tls/_data/server.pem"
    assert (server.stat().st_mode & 0o777, server.stat().st_uid) == (0o600, 0)
    key = server.read_bytes().split(b"-----")[2].strip()
    layers = secure.engine.root / "data/overlay2"
    authority_key = (root.state / "server-ca/ca.key").read_bytes().split(b"-----")[2].strip()
    for file in layers.glob("*/diff/etc/devreg/**/*"):
        assert not file.is_file() or (key not in file.read_bytes() and authority_key not in file.read_bytes())
    said = (
        root.ok("registry", "logs", "nginx").said
        + run("docker", "inspect", "devreg-nginx", env=secure.engine.env()).stdout
    )
    assert "PRIVATE KEY" not in said


def upload_in_flight(secure: Secure) -> AbstractContextManager[None]:
    """A request whose body takes as long as the block, and is answered by 202 at its end."""
    begin = f"https://{secure.address}/v2/slow/blobs/uploads/"
    head = secure.curl("-i", "-u", f"{USER}:{PASSWORD}", "-X", "POST", begin)
    (location,) = (line.split()[1] for line in head.splitlines() if line.lower().startswith("location:"))
    context = ssl.create_default_context(cafile=str(secure.authority))
    return slow_upload(
        (secure.host, secure.port),
        context,
        location,
        basic(USER, PASSWORD)["Authorization"],
    )


def test_one_that_ends_soon_is_renewed_while_an_upload_goes_on(
    secure: Secure, root: Devreg, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, authority = Server(secure.engine, secure.address), secure.authority.read_bytes()
    put_one_that_ends_soon(secure, root, monkeypatch)
    before, containers = secure.certificate(), container_ids(server)
    with upload_in_flight(secure):
        renewed = root.ok("registry", "up", "--json")
        assert renewed.document["changed"] is True
        ends = datetime.fromisoformat(renewed.data["certificate_ends"].replace("Z", "+00:00"))
        assert ends - datetime.now(timezone.utc) > timedelta(days=390)
        assert secure.certificate() != before
        assert secure.authority.read_bytes() == authority, "clients need nothing new"
    assert container_ids(server) == containers
    assert root.ok("registry", "up", "--json").document["changed"] is False


def put_one_that_ends_soon(secure: Secure, root: Devreg, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the server's own authority issue a certificate with less than 60 days to go, and nginx show it."""
    assert root.state
    own = Pair(*((root.state / "server-ca" / name).read_text() for name in ("ca.crt", "ca.key")))
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "_LIFE", timedelta(days=59))
        pair = certificates.issue(own, (DOMAIN, secure.host, "localhost", "127.0.0.1", "::1"))
    file = secure.engine.root / "data/volumes/devreg_tls/_data/server.pem"
    file.write_text(f"{pair.key.strip()}\n{pair.chain.strip()}\n")
    with client(secure.engine) as sdk:
        sdk.containers.get("devreg-nginx").restart()
    deadline = time.monotonic() + 30
    while not root.ok("registry", "status", "--json").data["healthy"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture
def given(tmp_path: Path) -> tuple[trustme.CA, Path, Path]:
    """An authority, and where the certificate and the key of it are going to be."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority, tmp_path / "server.pem", tmp_path / "server.key"


def write(authority: trustme.CA, chain: Path, key: Path, *names: str, days: int = 90) -> None:
    leaf = authority.issue_cert(*names, not_after=datetime.now(timezone.utc) + timedelta(days=days))
    chain.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())


def test_a_given_certificate_is_renewed_while_an_upload_goes_on(
    spare_engine: Engine, root: Devreg, given: tuple[trustme.CA, Path, Path], tmp_path: Path
) -> None:
    authority, chain, key = given
    host = host_of(spare_engine)
    port = free_port_of(host)
    write(authority, chain, key, DOMAIN, host)
    words = ("--tls", f"{chain},{key}", "--domain", DOMAIN, "--user", USER, "--password-stdin")
    up = root.ok("registry", "up", "--listen", f"{host}:{port}", *words, "--json", input=PASSWORD)
    secure = Secure(spare_engine, host, port, tmp_path / "ca.pem")
    assert (up.data["tls"], up.data["authority"]) == ("given", None)
    before, containers = secure.certificate(DOMAIN), container_ids(Server(spare_engine, secure.address))
    with upload_in_flight(secure):
        write(authority, chain, key, DOMAIN, host)
        assert root.ok("registry", "up", "--json").document["changed"] is True
        assert secure.certificate(DOMAIN) != before
    assert container_ids(Server(spare_engine, secure.address)) == containers
    write(authority, chain, key, "other.example.com")
    assert "not for registry.example.com" in root.fails(10, "registry", "up").stderr
    write(authority, chain, key, DOMAIN, days=-1)
    assert "expired" in root.fails(10, "registry", "up").stderr
    assert secure.certificate(DOMAIN) != before, "the good one is still in force"
    key.unlink()
    root.fails(10, "registry", "up")
    root.ok("registry", "down", "--volumes", "--yes")


def test_plain_http_beyond_loopback_has_to_be_asked_for(spare_engine: Engine, root: Devreg) -> None:
    listen = f"0.0.0.0:{free_port()}"
    refused = root.fails(2, "registry", "up", "--listen", listen)
    assert "--tls self-signed" in refused.stderr
    with client(spare_engine) as sdk:
        assert sdk.containers.list(all=True) == []
    assert "in the clear" in root.ok("registry", "up", "--listen", listen, "--plain-http").stderr
    root.ok("registry", "up")
    root.ok("registry", "down", "--volumes", "--yes")
