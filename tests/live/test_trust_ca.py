"""Trust by a CA with a real dockerd, whose certs.d is a folder of the tests, and a registry behind a real nginx."""

import shutil
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
import trustme

from devreg.actions import trust_ca as action
from devreg.actions.trust import Wish, carry_out
from devreg.actions.trust_ca import CaWish, trust_ca, untrust_ca
from devreg.engine.client import Engine as Client
from devreg.flavours.flavour import Flavour
from devreg.flavours.rootful import rootful
from devreg.host.certificates import CA, CERT, KEY, Pair, lint
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable, EngineRefused, RegistryUnreachable, UsageError
from devreg.model.events import silent
from devreg.model.results import CaTrusted
from tests.live.conftest import PASSWORD, USER, Server, client, trusts
from tests.live.lab.engine import Engine
from tests.live.lab.front import Front, front
from tests.live.lab.images import multi_layer_image
from tests.live.lab.run import need
from tests.live.test_trust import docker

SECONDS = 10.0
IMAGE = "ca/app:1"


@pytest.fixture(scope="module")
def folders(spare_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What `spare_engine` takes for /etc/docker, in a mount namespace of its own; the machine's stays as it is."""
    folder = tmp_path_factory.mktemp("etc-docker")
    spare_engine.stop()
    spare_engine.pid_file.unlink(missing_ok=True)
    mount = ("sh", "-c", 'mount --bind "$0" /etc/docker && exec "$@"', str(folder))
    command = [need("unshare", "util-linux"), "--mount", *mount, *spare_engine.command]
    spare_engine.launch(command, spare_engine.answers, spare_engine.log)
    yield folder
    spare_engine.stop()
    spare_engine.start()


@pytest.fixture(scope="module")
def beyond(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A registry with an image, at addresses that no engine trusts of itself."""
    with client(server.engine) as sdk:
        multi_layer_image(sdk, f"{server.address}/{IMAGE}", 2, 0.1)
        sdk.images.push(f"{server.address}/ca/app", tag="1", auth_config={"username": USER, "password": PASSWORD})
    with front(server.address, server.engine.bridge, tmp_path_factory.mktemp("front")) as addresses:
        yield addresses


class Lab:
    """devreg's promise for `spare_engine`, with records of its own."""

    def __init__(self, engine: Engine, flavour: Flavour, beyond: Front, state: Path) -> None:
        self.engine, self.flavour, self.beyond, self.state = engine, flavour, beyond, state

    def trust(self, address: str, ca: bytes | None = None, pair: Pair | None = None) -> CaTrusted:
        given = (self.beyond.folder / "ca.pem").read_bytes() if ca is None else ca
        wish = CaWish(Address.parse(address), given, "the file", pair)
        return trust_ca(self.flavour, wish, timeout=SECONDS, listener=silent, state=self.state)

    def fetch(self, address: str, fingerprint: str) -> CaTrusted:
        wish = action.asked(Address.parse(address), "fetch", fingerprint, None, None, False, SECONDS)
        return trust_ca(self.flavour, wish, timeout=SECONDS, listener=silent, state=self.state)

    def untrust(self, address: str) -> bool:
        return untrust_ca(self.flavour, Address.parse(address), listener=silent, state=self.state)

    def make_insecure(self, address: str) -> None:
        carry_out(self.flavour, Wish((Address.parse(address),), force=True), listener=silent, state=self.state)

    def files(self) -> dict[str, str]:
        """What lies in certs.d, with its mode."""
        root = self.flavour.certificates
        assert root is not None
        found = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): oct(path.stat().st_mode & 0o777) for path in found}

    def pull(self, address: str) -> str:
        """What a real `docker pull` complains of; empty when it works."""
        name = f"{address}/{IMAGE}"
        docker(self.engine, self.state, "rmi", "-f", name)
        done = docker(self.engine, self.state, "pull", "--quiet", name)
        return done.stderr if done.returncode else ""


@pytest.fixture
def lab(spare_engine: Engine, folders: Path, settings: Path, beyond: Front, tmp_path: Path) -> Iterator[Lab]:
    del settings  # an engine that trusts nobody before and after
    before = set(Path("/etc/docker").rglob("*"))
    state, certificates = tmp_path / "state", folders / "certs.d"
    state.mkdir()
    with client(spare_engine) as sdk:
        engine = Client(spare_engine.host, sdk)
        flavour = replace(rootful(engine, engine.info(), state), certificates=certificates)
        yield Lab(spare_engine, flavour, beyond, state)
    shutil.rmtree(certificates, ignore_errors=True)
    assert set(Path("/etc/docker").rglob("*")) == before


@contextmanager
def choosy(lab: Lab) -> Iterator[str]:
    """The address of a TLS 1.3 server that finds only after the handshake that a client has no certificate."""
    host = lab.beyond.tls.partition(":")[0]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.beyond.folder / "pair.pem")
    context.load_verify_locations(lab.beyond.folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), connection.dup() as plain:
                with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)
                plain.settimeout(SECONDS)
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(4096):  # what is left unread has the kernel reset, which may overtake TLS's own words
                    pass

    with socket.create_server((host, 0)) as listener:
        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"{host}:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_pull_works_with_the_ca_and_not_without(lab: Lab) -> None:
    address = lab.beyond.tls
    assert "x509" in lab.pull(address)
    done = lab.trust(address)
    assert (done.changed, done.verified, done.removed_insecure) == (True, True, False)
    assert lab.files() == {f"{address}/{CA}": "0o644"}
    assert lab.pull(address) == ""
    assert lab.trust(address).changed is False
    assert lab.untrust(address) is True
    assert lab.files() == {}
    assert "x509" in lab.pull(address)


def test_several_authorities_and_words_beside_them(lab: Lab) -> None:
    right, other = (lab.beyond.folder / "ca.pem").read_bytes(), trustme.CA().cert_pem.bytes()
    lab.trust(lab.beyond.tls, "\ufeff".encode() + other + "# Főtanúsítvány\n".encode() + right)
    assert lab.pull(lab.beyond.tls) == ""


def test_an_insecure_entry_goes_and_the_ca_is_what_counts(lab: Lab) -> None:
    address = lab.beyond.tls
    lab.make_insecure(address)
    assert trusts(lab.engine, address)
    assert lab.trust(address).removed_insecure is True
    assert not trusts(lab.engine, address)
    assert lab.pull(address) == ""
    lab.untrust(address)
    assert "x509" in lab.pull(address)


@pytest.mark.parametrize("insecure", [False, True], ids=["untrusted", "insecure"])
def test_what_does_not_vouch_is_refused_with_nothing_changed(lab: Lab, insecure: bool) -> None:
    address, folder = lab.beyond.tls, lab.beyond.folder
    if insecure:
        lab.make_insecure(address)
    before = lab.engine.config_file.read_bytes()
    key = (folder / "client.key").read_bytes()
    with pytest.raises(RegistryUnreachable, match="does not vouch"):
        lab.trust(address, trustme.CA().cert_pem.bytes())
    with pytest.raises(ConfigUnusable, match="private key"):
        lab.trust(address, (folder / "ca.pem").read_bytes() + key)
    with pytest.raises(ConfigUnusable, match="no CA's"):
        lab.trust(address, (folder / "client.pem").read_bytes())
    with pytest.raises(EngineRefused, match="no certificate with that fingerprint"):
        lab.fetch(address, "ab" * 32)
    with pytest.raises(RegistryUnreachable, match="plain HTTP"):
        lab.trust(lab.beyond.plain)
    assert (lab.files(), lab.engine.config_file.read_bytes()) == ({}, before)
    assert trusts(lab.engine, address) is insecure


def test_a_certificate_is_fetched_by_its_fingerprint(lab: Lab) -> None:
    with pytest.raises(UsageError) as caught:
        lab.fetch(lab.beyond.tls, "")
    shown = caught.value.message.rpartition("shown now: ")[2]
    assert lab.fetch(lab.beyond.tls, shown).fingerprints == (shown,)
    assert lab.pull(lab.beyond.tls) == ""


def test_a_client_certificate(lab: Lab) -> None:
    address, folder = lab.beyond.mutual, lab.beyond.folder
    assert lab.trust(address).verified is False
    assert lab.pull(address)
    assert lab.trust(address, pair=Pair(folder / "client.pem", folder / "client.key")).verified is True
    modes = {f"{address}/{CA}": "0o644", f"{address}/{CERT}": "0o644", f"{address}/{KEY}": "0o600"}
    assert lab.files() == modes
    assert lab.pull(address) == ""
    lab.untrust(address)
    assert lab.files() == {}


def test_what_only_the_engine_finds_out_puts_everything_back(lab: Lab) -> None:
    with choosy(lab) as address:
        with pytest.raises(EngineRefused, match="remote error: tls"):
            lab.trust(address)
        assert lab.files() == {}
        assert lab.untrust(address) is False


@pytest.mark.parametrize(("name", "words"), [("x.cert", "missing key"), ("x.key", "missing client certificate")])
def test_half_a_pair_breaks_pulls_as_the_linter_says(lab: Lab, name: str, words: str) -> None:
    lab.trust(lab.beyond.tls)
    folder = lab.flavour.certificates / lab.beyond.tls if lab.flavour.certificates else Path()
    (folder / name).touch()
    assert words in lab.pull(lab.beyond.tls).lower()
    (fault,) = lint(folder)
    assert fault.startswith(str(folder / name))
