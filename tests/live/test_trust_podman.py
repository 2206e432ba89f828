"""podman, with a registry that speaks plain HTTP and one whose TLS nobody vouches for: pulled only while trusted."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import docker
import pytest

from devreg.flavours.flavour import Flavour
from devreg.flavours.podman import podman
from devreg.host import edits
from devreg.model.address import Address
from devreg.model.verdict import Reach
from tests.live.conftest import IMAGE
from tests.live.lab import processes
from tests.live.lab.devreg import Devreg, with_own_state
from tests.live.lab.front import Front, free_port_of
from tests.live.lab.run import need, run


@pytest.fixture
def home(short_folder: Path) -> Iterator[Path]:
    """A home for podman, which wants a short name for what it keeps there."""
    folder = Path(tempfile.mkdtemp(prefix="p", dir=short_folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def own(home: Path, monkeypatch: pytest.MonkeyPatch) -> Flavour:
    """podman for a user with a registries.conf of his own, which hides the machine's."""
    folder = home / ".config/containers"
    folder.mkdir(parents=True)
    (folder / "registries.conf").touch()
    monkeypatch.setenv("HOME", str(home))
    return podman()


def pull(folder: Path, address: str, *, before: str = "") -> str:
    """What podman complains of when it pulls the image; "" when it has it. `before`: a command for the same shell."""
    store = ("--root", folder / "root", "--runroot", folder / "run", "--storage-driver=vfs")
    words = [str(word) for word in (need("podman", "podman"), *store, "pull", "--quiet", f"{address}/{IMAGE}")]
    script = f'{before}exec "$@"'
    done = run("unshare", "--mount", "sh", "-ec", script, "sh", *words, env={"HOME": str(folder)}, check=False)
    assert (done.returncode == 0) is (done.stdout.strip() != ""), done
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""


def test_a_pull_works_only_while_plain_http_is_trusted(registries: Front, own: Flavour, home: Path) -> None:
    address = Address.parse(registries.plain)
    assert "server gave HTTP response to HTTPS client" in pull(home, registries.plain)
    assert own.witness.reaches(address).reach is Reach.REFUSED
    edits.write(own.files.edits((address,), ()))
    assert own.files.path.parent == home / ".config/containers/registries.conf.d"
    assert pull(home, registries.plain) == ""
    assert own.witness.reaches(address).reach is Reach.ANSWERED
    edits.write(own.files.edits((), (address,)))
    assert not own.files.path.exists()
    assert "server gave HTTP response to HTTPS client" in pull(home, registries.plain)


def test_a_pull_works_only_while_unverified_tls_is_trusted(registries: Front, own: Flavour, home: Path) -> None:
    address = Address.parse(registries.tls)
    assert "x509: " in pull(home, registries.tls)
    assert own.witness.reaches(address).reach is Reach.REFUSED
    edits.write(own.files.edits((address, Address.parse(registries.plain)), ()))
    assert pull(home, registries.tls) == ""
    assert own.witness.reaches(address).reach is Reach.ANSWERED
    edits.write(own.files.edits((), (address,)))
    assert "x509: " in pull(home, registries.tls)
    assert own.witness.reaches(Address.parse(registries.plain)).reach is Reach.ANSWERED


def test_the_machines_own_folder_is_for_root(registries: Front, home: Path) -> None:
    """In a mount namespace, with a folder of the test's over /etc/containers."""
    root = home / "machine"
    (root / "etc").mkdir(parents=True)
    run("cp", "-a", "/etc/containers", root / "etc")
    address, before = Address.parse(registries.plain), f"mount --bind {root}/etc/containers /etc/containers; "
    flavour = podman(root)
    edits.write(flavour.files.edits((address,), ()))
    assert flavour.files.path == root / "etc/containers/registries.conf.d/50-devreg.conf"
    assert pull(home, registries.plain, before=before) == ""
    edits.write(flavour.files.edits((), (address,)))
    assert "server gave HTTP response to HTTPS client" in pull(home, registries.plain, before=before)


def test_nobody_there_is_not_a_lack_of_trust(own: Flavour, registries: Front) -> None:
    host = registries.plain.rpartition(":")[0]
    assert own.witness.reaches(Address.parse(f"{host}:{free_port_of(host)}")).reach is Reach.UNREACHABLE


@pytest.mark.parametrize("entry", ["{host}", "*.0.0.1.invalid", "{host}:{port}"])
def test_podman_and_devreg_agree_on_what_others_wrote(registries: Front, own: Flavour, home: Path, entry: str) -> None:
    host, _, port = registries.plain.rpartition(":")
    folder = home / ".config/containers/registries.conf.d"
    folder.mkdir()
    text = f'[[registry]]\nprefix = "{entry.format(host=host, port=port)}"\ninsecure = true\n'
    text += "" if entry.startswith("*") else f'location = "{entry.format(host=host, port=port)}"\n'
    (folder / "10-others.conf").write_text(text)
    address = Address.parse(registries.plain)
    trusted = own.files.lists(address) or own.witness.covers(address) is not None
    assert (pull(home, registries.plain) == "") is trusted
    assert trusted is not entry.startswith("*")


@pytest.fixture
def service(home: Path, own: Flavour) -> Iterator[str]:
    """A podman that serves the engine's API for this user; its endpoint."""
    del own
    socket = home / "s"
    store = ("--root", str(home / "root"), "--runroot", str(home / "run"), "--storage-driver=vfs")
    words = [need("podman", "podman"), *store, "system", "service", "--time=0", f"unix://{socket}"]
    pid = processes.spawn(words, env={"HOME": str(home)}, log=home / "log")
    try:
        deadline = time.monotonic() + 20
        while not socket.exists():
            assert time.monotonic() < deadline, (home / "log").read_text()
            time.sleep(0.1)
        yield f"unix://{socket}"
    finally:
        processes.end(pid)


def test_a_service_that_runs_reads_the_files_again(registries: Front, service: str, home: Path) -> None:
    """It goes by what it has read until it gets a signal; the command line is what people use here."""
    user = with_own_state(Devreg(home, service))
    name = f"{registries.plain}/lab/app"
    with closing(docker.DockerClient(service)) as sdk:
        with pytest.raises(docker.errors.ImageNotFound):  # what podman tells of a pull that failed
            sdk.images.pull(name, tag="1")
        done = user.ok("trust", registries.plain, "--json").data
        assert (done["flavour"], done["applied"], done["verified"]) == ("podman", "reload", True), done["probes"]
        sdk.images.pull(name, tag="1")
        assert user.ok("trust", registries.plain, "--json").document["changed"] is False
        sdk.images.remove(f"{name}:1", force=True)
        assert user.ok("untrust", registries.plain, "--json").document["changed"] is True
        with pytest.raises(docker.errors.ImageNotFound):
            sdk.images.pull(name, tag="1")
