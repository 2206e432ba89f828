"""containerd, with a registry that speaks plain HTTP and one with TLS that nobody vouches for: a pull needs trust."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devreg.flavours.containerd import containerd
from devreg.host import edits
from devreg.model.address import Address
from devreg.model.verdict import Reach
from tests.live.conftest import IMAGE
from tests.live.lab import processes
from tests.live.lab.front import Front, free_port_of
from tests.live.lab.run import need, run, search_path


@dataclass(frozen=True)
class Containerd:
    """A containerd of the tests' own; its settings are those of a machine whose files are below `root`."""

    root: Path

    @property
    def socket(self) -> Path:
        return self.root / "c.sock"

    @property
    def hosts(self) -> Path:
        return self.root / "etc/containerd/certs.d"

    def pull(self, address: str) -> str:
        """What ctr complains of when it pulls the image; "" when it has it."""
        done = self._ctr(
            "images", "pull", "--snapshotter", "native", "--hosts-dir", str(self.hosts), f"{address}/{IMAGE}"
        )
        return done.stderr if done.returncode else ""

    def namespaces(self) -> list[str]:
        return run(need("ctr", "containerd"), "--address", self.socket, "namespaces", "ls", "--quiet").stdout.split()

    def _ctr(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return run(need("ctr", "containerd"), "--address", self.socket, "--namespace", "lab", *words, check=False)


@pytest.fixture(scope="module")
def own(short_folder: Path) -> Iterator[Containerd]:
    """A containerd that runs, without Kubernetes' part."""
    found = Containerd(short_folder / "c")
    config = found.root / "etc/containerd/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        f'version = 2\nroot = "{found.root}/data"\nstate = "{found.root}/run"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "{found.socket}"\n'
    )
    argv = [need("containerd", "containerd"), "--config", str(config)]
    pid = processes.spawn(argv, env={"PATH": search_path()}, log=found.root / "log")
    try:
        deadline = time.monotonic() + 30
        while not found.socket.exists():
            assert time.monotonic() < deadline, (found.root / "log").read_text()
            time.sleep(0.1)
        yield found
    finally:
        processes.end(pid)


@pytest.mark.parametrize(("kind", "complaint"), [("plain", "server gave HTTP response"), ("tls", "x509: ")])
def test_a_pull_works_only_while_the_registry_is_trusted(
    registries: Front, own: Containerd, kind: str, complaint: str
) -> None:
    name = getattr(registries, kind)
    address = Address.parse(name)
    flavour = containerd(own.root, lambda _: kind == "tls")
    assert complaint in own.pull(name)
    assert flavour.witness.reaches(address).reach is Reach.REFUSED
    edits.write(flavour.files.edits((address,), ()))
    assert flavour.files.listed() == (name,)
    assert own.pull(name) == ""
    assert flavour.witness.reaches(address).reach is Reach.ANSWERED
    assert own.namespaces() == ["lab"]
    edits.write(flavour.files.edits((), (address,)))
    assert complaint in own.pull(name)
    assert flavour.files.listed() == ()


def test_a_mirror_of_somebody_else_stays_in_use(registries: Front, own: Containerd) -> None:
    """His file asks a mirror, where nobody is, first; with devreg's lines the registry is asked after it."""
    folder = own.hosts / registries.plain
    folder.mkdir(exist_ok=True)
    text = f'server = "https://{registries.plain}"\n[host."http://127.0.0.1:1"]\n  capabilities = ["pull", "resolve"]\n'
    (folder / "hosts.toml").write_text(text)
    flavour, address = containerd(own.root), Address.parse(registries.plain)
    assert own.pull(registries.plain) != ""
    edits.write(flavour.files.edits((address,), ()))
    assert own.pull(registries.plain) == ""
    edits.write(flavour.files.edits((), (address,)))
    assert (folder / "hosts.toml").read_text() == text
    assert own.pull(registries.plain) != ""


def test_the_other_spelling_of_the_folder_is_the_one_that_counts(registries: Front, own: Containerd) -> None:
    address = Address.parse(registries.tls)
    (own.hosts / f"{address.host}_{address.port}_").mkdir()
    flavour = containerd(own.root, lambda _: True)
    edits.write(flavour.files.edits((address,), ()))
    assert own.pull(registries.tls) == ""


def test_nobody_there_is_not_a_lack_of_trust(registries: Front, own: Containerd) -> None:
    host = registries.plain.rpartition(":")[0]
    nobody = Address.parse(f"{host}:{free_port_of(host)}")
    assert containerd(own.root).witness.reaches(nobody).reach is Reach.UNREACHABLE
