"""A server as plain processes is as secure as in containers: TLS, users' rules, another service for passwords."""

import os
import socket
import ssl
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import trustme

from devreg.server import certificates
from devreg.server.certificates import Pair
from tests.live.conftest import PASSWORD, USER, free_port
from tests.live.lab.devreg import Devreg
from tests.live.lab.layouts import multi_platform
from tests.live.lab.password_service import password_service
from tests.live.lab.run import need, run
from tests.live.lab.slow_upload import slow_upload
from tests.live.lab.wire import Wire, basic
from tests.live.test_server_processes import NOBODY, OWNERS, Server, eventually, owner_of

SECRET = "members-secret-2342"
NAMES = ("127.0.0.1", "localhost", "::1")
SELF_SIGNED = ("--tls", "self-signed", "--user", USER, "--password-stdin")


@dataclass(frozen=True)
class Secure:
    """A server with TLS. `authority`: who vouches for it, as a file."""

    server: Server
    authority: Path

    @property
    def owner(self) -> Devreg:
        return self.server.owner

    @property
    def port(self) -> int:
        return int(self.server.address.rpartition(":")[2])

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))

    def certificate(self) -> bytes:
        """The certificate that is shown to a client who verifies it (DER)."""
        line = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        with line, self.context.wrap_socket(line, server_hostname="127.0.0.1") as secure:
            return secure.getpeercert(True) or b""

    def answers(self) -> bool:
        words = ("--cacert", self.authority, f"https://{self.server.address}/v2/_catalog")
        return run("curl", "-sS", "--noproxy", "*", *words, check=False).returncode == 0

    def curl(self, *words: str) -> str:
        return run(need("curl", "curl"), "-sS", "--noproxy", "*", "--cacert", self.authority, *words).stdout

    def write(self, user: str, password: str, repository: str) -> int:
        """The status that beginning an upload is answered by."""
        url = f"https://{self.server.address}/v2/{repository}/blobs/uploads/"
        return int(self.curl("-o", "/dev/null", "-w", "%{http_code}", "-u", f"{user}:{password}", "-X", "POST", url))

    def lasting(self) -> list[psutil.Process]:
        """What must not be restarted."""
        found = self.server.processes()
        return [*found["supervisord"], *found["nginx"], *found["registry"]]


@pytest.fixture(scope="module", params=OWNERS)
def owner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devreg]:
    user = owner_of(request.param, tmp_path_factory)
    yield user
    user("registry", "down", "--volumes", "--yes")  # which finds nothing after a test that did it, and says so


@pytest.fixture(scope="module")
def home_address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def secure(owner: Devreg, home_address: str) -> Secure:
    """A running server with a certificate of its own authority."""
    words = ("--listen", home_address, "--external-auth", "off")
    done = owner.ok("registry", "up", *words, *SELF_SIGNED, "--json", input=PASSWORD).data
    assert (done["runtime"], done["tls"], done["healthy"]) == ("processes", "self-signed", True)
    state = owner.state or owner.folder / "state/devreg"
    return Secure(Server(owner, state / "registry", home_address), state / "certs.d" / home_address / "ca.crt")


@pytest.fixture
def member(secure: Secure) -> Iterator[str]:
    """A user who may push to team/* only."""
    secure.owner.ok("registry", "user", "add", "member", "--push", "team/*", "--password-stdin", input=SECRET)
    yield "member"
    secure.owner.ok("registry", "user", "remove", "member")


def test_clients_verify_it_and_push(secure: Secure, tmp_path: Path) -> None:
    address = secure.server.address
    assert secure.certificate()
    assert f'realm="https://{address}/v2/token"' in secure.curl("-i", f"https://{address}/v2/")
    secure.owner.ok("login", address, "-u", USER, "--password-stdin", input=PASSWORD)
    layout, digest = multi_platform(tmp_path / "layout", f"{address}/app:1")
    pushed = secure.owner.ok("push", str(layout.folder), "--to", address, "--as", "app:1", "--json").data["pushed"]
    assert [each["digest"] for each in pushed] == [digest]
    folder, home = tmp_path / "certs", tmp_path / "skopeo"
    folder.mkdir()
    home.mkdir()
    (folder / "ca.crt").write_bytes(secure.authority.read_bytes())
    login = ("login", "-u", USER, "--password-stdin", address)
    env = {"REGISTRY_AUTH_FILE": str(home / "auth.json"), "HOME": str(home)}
    run(need("skopeo", "skopeo"), *login, "--cert-dir", str(folder), input=PASSWORD, env=env)
    assert run("skopeo", *login, input="wrong", env=env, check=False).returncode != 0


def test_it_is_told_once(secure: Secure) -> None:
    before = secure.server.processes()
    again = secure.owner.ok("registry", "up")
    assert "nothing had to be changed" in again.stdout
    assert f"certs.d/{secure.server.address}/ca.crt" in again.stderr
    assert secure.server.processes() == before
    secure.owner.ok("registry", "down")
    assert secure.owner.ok("registry", "up", "--json").data["tls"] == "self-signed"
    assert secure.certificate()


def test_the_keys_are_nobodys_to_read(secure: Secure) -> None:
    state = secure.owner.state or secure.owner.folder / "state/devreg"
    for file in (secure.server.folder / "tls/server.pem", state / "server-ca/ca.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert b"PRIVATE KEY" in file.read_bytes()
    for file in (secure.server.folder / "conf").iterdir():
        assert "PRIVATE KEY" not in file.read_text()


def test_users_are_held_to_their_rules(secure: Secure, member: str) -> None:
    before, owner = secure.lasting(), secure.owner
    statuses = [secure.write(member, SECRET, repository) for repository in ("team/x", "other", "teams/x")]
    assert statuses == [202, 403, 403]
    assert secure.write(USER, PASSWORD, "other") == 202
    owner.ok("registry", "user", "rules", member, "other")
    assert [secure.write(member, SECRET, repository) for repository in ("team/x", "other")] == [403, 202]
    assert owner.ok("registry", "user", "list", "--json").data["push"] == {member: ["other"]}
    owner.ok("registry", "user", "passwd", member, "--password-stdin", input="another")
    assert [secure.write(member, password, "other") for password in (SECRET, "another")] == [401, 202]
    owner.ok("registry", "user", "rules", member, "--everywhere")
    assert secure.write(member, "another", "team/x") == 202
    assert secure.lasting() == before, "nothing is restarted"


def test_rules_made_while_it_is_stopped_hold_once_it_runs(secure: Secure, member: str) -> None:
    secure.owner.ok("registry", "down")
    secure.owner.ok("registry", "user", "rules", member, "later")
    secure.owner.ok("registry", "up")
    assert [secure.write(member, SECRET, repository) for repository in ("later", "team/x")] == [202, 403]


def upload_in_flight(secure: Secure) -> AbstractContextManager[None]:
    """A request whose body takes as long as the block, and is answered by 202 at its end."""
    begin = f"https://{secure.server.address}/v2/slow/blobs/uploads/"
    head = secure.curl("-i", "-u", f"{USER}:{PASSWORD}", "-X", "POST", begin)
    (location,) = (line.split()[1] for line in head.splitlines() if line.lower().startswith("location:"))
    return slow_upload(("127.0.0.1", secure.port), secure.context, location, basic(USER, PASSWORD)["Authorization"])


def test_a_certificate_that_ends_soon_is_renewed_while_an_upload_goes_on(
    secure: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, file = secure.server.folder.parent, secure.server.folder / "tls/server.pem"
    own = Pair(*((state / "server-ca" / name).read_text() for name in ("ca.crt", "ca.key")))
    with monkeypatch.context() as patch:
        patch.setattr(certificates, "_LIFE", timedelta(days=59))
        pair = certificates.issue(own, NAMES)
    file.write_text(f"{pair.key.strip()}\n{pair.chain.strip()}\n")
    (killed,) = secure.server.processes()["nginx"]
    killed.kill()
    assert eventually(lambda: killed not in secure.server.processes().get("nginx", [killed]) and secure.answers())
    shown = secure.certificate()
    assert shown == ssl.PEM_cert_to_DER_cert(pair.chain)
    before, authority = secure.lasting(), secure.authority.read_bytes()
    with upload_in_flight(secure):
        assert secure.owner.ok("registry", "up", "--json").document["changed"] is True
        assert secure.certificate() != shown
    assert secure.lasting() == before
    assert secure.authority.read_bytes() == authority, "clients need nothing new"
    assert secure.owner.ok("registry", "up", "--json").document["changed"] is False


def test_a_given_certificate_is_taken_over_and_a_bad_one_refused(secure: Secure, tmp_path: Path) -> None:
    ours, before = trustme.CA(), secure.lasting()
    folder = secure.owner.folder / "given"
    folder.mkdir(exist_ok=True)
    leaf = ours.issue_cert("127.0.0.1")
    (folder / "cert.pem").write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
    (folder / "key.pem").write_bytes(leaf.private_key_pem.bytes())
    if secure.owner.state is None:
        for each in (folder, *folder.iterdir()):
            os.chown(each, NOBODY, NOBODY)
    ours.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    words = ("registry", "up", "--tls", f"{folder}/cert.pem,{folder}/key.pem")
    assert secure.owner.ok(*words, "--json").data["tls"] == "given"
    given = Secure(secure.server, tmp_path / "ca.pem")
    shown = given.certificate()
    (folder / "key.pem").write_bytes(ours.issue_cert("127.0.0.1").private_key_pem.bytes())
    assert "does not belong" in secure.owner.fails(10, "registry", "up").stderr
    assert given.certificate() == shown
    assert secure.lasting() == before


def test_plain_http_beyond_loopback_has_to_be_asked_for(secure: Secure) -> None:
    shown, listen = secure.certificate(), f"0.0.0.0:{free_port()}"
    refused = secure.owner.fails(2, "registry", "up", "--listen", listen, "--tls", "off")
    assert "--tls self-signed" in refused.stderr
    assert secure.certificate() == shown
    done = secure.owner.ok("registry", "up", "--listen", listen, "--tls", "off", "--plain-http")
    assert "in the clear" in done.stderr
    assert Wire(f"127.0.0.1:{listen.rpartition(':')[2]}")("GET", "/v2/_catalog").status == 200
    assert secure.owner.ok("registry", "up", "--json").document["changed"] is False


def test_another_service_may_check_passwords_also_one_of_this_machine(secure: Secure) -> None:
    owner = secure.owner
    with password_service("127.0.0.1", {"carol": PASSWORD}) as service:
        up = ("registry", "up", "--external-auth", service.url)
        assert "plain HTTP" in owner.ok(*up).stderr
        assert [secure.write("carol", PASSWORD, repository) for repository in ("team/x", "other")] == [202, 403]
        assert [secure.write("carol", "wrong", "team/x"), secure.write(USER, PASSWORD, "team/x")] == [401, 401]
        assert service.url in owner.fails(30, "registry", "user", "add", "dave", "--password-stdin", input="x").stderr
        assert owner.ok("registry", "status", "--json").data["external_auth"] == service.url
        assert owner.ok("registry", "up", "--json").document["changed"] is False
    assert secure.write("carol", PASSWORD, "team/x") == 503, "a service that is gone lets nobody in"
    owner.ok("registry", "up", "--external-auth", "off")
    assert secure.write(USER, PASSWORD, "other") == 202


def test_over_https_the_service_has_to_prove_who_it_is(secure: Secure, tmp_path: Path) -> None:
    ours, folder = trustme.CA(), secure.owner.folder / "vouching"
    folder.mkdir(exist_ok=True)
    for name, authority in (("ours", ours), ("foreign", trustme.CA())):
        authority.cert_pem.write_to_path(str(folder / f"{name}.pem"))
        (folder / f"{name}.pem").chmod(0o644)
    folder.chmod(0o755)
    ours.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pair"))
    with password_service("127.0.0.1", {"carol": PASSWORD}, tmp_path / "pair") as service:
        url = service.url.replace("127.0.0.1", "localhost")
        for vouching, status in (("foreign", 503), ("ours", 202)):
            words = ("--external-auth", url, "--external-auth-ca", str(folder / f"{vouching}.pem"))
            secure.owner.ok("registry", "up", *words)
            assert secure.write("carol", PASSWORD, "team/x") == status
            assert bool(service.seen) == (status == 202), "no secret goes to a stranger"
    secure.owner.ok("registry", "up", "--external-auth", "off")
    assert not (secure.server.folder / "conf/external-auth-ca.pem").exists()
