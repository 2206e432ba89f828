"""containerd's hosts.toml: made, added to, taken out; and when Kubernetes would not see it."""

from pathlib import Path

import pytest

from devreg.flavours import containerd as module
from devreg.flavours.containerd import containerd
from devreg.flavours.flavour import Flavour
from devreg.host import edits
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable
from devreg.model.verdict import Reach
from tests.unit.host.programs import Programs

A = Address.parse("reg.example:5000")
PLAIN = """server = "http://reg.example:5000"

[host."http://reg.example:5000"]
  capabilities = ["pull", "resolve", "push"]
"""
UNVERIFIED = """server = "https://reg.example:5000"
skip_verify = true

[host."https://reg.example:5000"]
  capabilities = ["pull", "resolve", "push"]
  skip_verify = true
"""
MIRRORED = """# ours
server = "https://reg.example:5000"

[host."https://mirror.example"]
  capabilities = ["pull"]  # no push"""
DUMP = """cat <<'END'
version = 2
disabled_plugins = []
[grpc]
  address = "/run/own.sock"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "%s"
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors]
%s
END"""


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A containerd with its default settings, and root."""
    folder = tmp_path / "bin"
    folder.mkdir()
    found = Programs(folder, monkeypatch)
    found.add("containerd", DUMP % ("", ""))
    monkeypatch.setattr("devreg.host.files.is_root", lambda: True)
    return found


def write(root: Path, text: str, folder: str = "reg.example:5000") -> Path:
    file = root / "etc/containerd/certs.d" / folder / "hosts.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def change(flavour: Flavour, add: tuple[Address, ...] = (), remove: tuple[Address, ...] = ()) -> int:
    found = flavour.files.edits(add, remove)
    edits.write(found)
    return len(found)


@pytest.mark.parametrize(
    ("address", "speaks_tls", "text"),
    [
        ("reg.example:5000", None, PLAIN),
        ("reg.example:5000", False, PLAIN),
        ("reg.example:5000", True, UNVERIFIED),
        ("https://reg.example:5000", False, UNVERIFIED),
        ("http://reg.example:5000", True, PLAIN),
    ],
)
def test_a_file_for_what_the_registry_speaks(tmp_path: Path, address: str, speaks_tls: bool | None, text: str) -> None:
    flavour = containerd(tmp_path, lambda _: speaks_tls)
    wanted = (Address.parse(address),)
    assert change(flavour, add=wanted) == 1
    file = tmp_path / "etc/containerd/certs.d/reg.example:5000/hosts.toml"
    assert file.read_text() == text
    assert flavour.files.listed() == ("reg.example:5000",)
    assert flavour.files.lists(A)
    assert change(flavour, add=wanted) == 0
    assert change(flavour, remove=wanted) == 1
    assert not file.exists()
    assert change(flavour, remove=wanted) == 0


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("ending", ["\n", ""])
def test_somebodys_file_keeps_every_byte(tmp_path: Path, tls: bool, ending: str) -> None:
    file = write(tmp_path, MIRRORED + ending)
    flavour = containerd(tmp_path, lambda _: tls)
    change(flavour, add=(A,))
    assert file.read_text().startswith(MIRRORED + "\n\n[host.")
    assert flavour.files.lists(A)
    change(flavour, remove=(A,))
    assert file.read_text() == MIRRORED + "\n"
    assert not flavour.files.lists(A)


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        UNVERIFIED,
        'server = "http://reg.example:5000"\n[host]\n',
        '[host."http://reg.example:5000/v2"]\n',
        '[host."reg.example:5000"]\nskip_verify = true\n',
    ],
)
def test_what_makes_a_registry_insecure(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    assert containerd(tmp_path).files.lists(A)


@pytest.mark.parametrize(
    "text",
    [
        "",
        MIRRORED,
        'server = "http://reg.example:5000"\n',  # containerd before 2.0 ignores a file without [host]
        '[host."http://reg.example:5001"]\n',
        '[host."http://reg.example:5000"]\ncapabilities = ["push"]\n',
        '[host."https://reg.example:5000"]\nskip_verify = false\n',
    ],
)
def test_what_does_not(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    assert not containerd(tmp_path).files.lists(A)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('# a\n[host."https://reg.example:5000"]\nca = "x.crt"\n', "line 2, .* is to be verified"),
        ('host = { "https://mirror" = {} }\n', "`host`|it is there twice"),
        ('[host."x"]\na = 1\na = 2\n', "line 3, .* twice"),
        ("server = \n", "line 1, column 10"),
    ],
)
def test_a_file_that_cannot_be_added_to_is_left_alone(tmp_path: Path, text: str, words: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(ConfigUnusable, match=words):
        containerd(tmp_path).files.edits((A,), ())
    assert file.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        'server = "http://reg.example:5000"\n[host."https://mirror"]\n',
        PLAIN + '  ca = "x.crt"\n',
        '[host."http://reg.example:5000"]\n',
    ],
)
def test_an_entry_of_somebody_else_is_not_taken_out(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigUnusable, match=r"hosts\.toml, line 1, .*not by devreg"):
        containerd(tmp_path).files.edits((), (A,))


def test_the_other_spelling_of_the_folder_goes_first(tmp_path: Path) -> None:
    file = write(tmp_path, "", folder="reg.example_5000_")
    flavour = containerd(tmp_path)
    change(flavour, add=(A,))
    assert file.read_text() == PLAIN
    assert flavour.files.listed() == ("reg.example:5000",)


def test_other_folders_are_not_registries(tmp_path: Path) -> None:
    write(tmp_path, PLAIN, folder="_default")
    write(tmp_path, PLAIN, folder="Not A Host")
    assert containerd(tmp_path).files.listed() == ()


def test_undoing_takes_back_each_file(tmp_path: Path) -> None:
    file = write(tmp_path, MIRRORED)
    flavour = containerd(tmp_path)
    found = flavour.files.edits((A, Address.parse("other.example")), ())
    edits.write(found)
    assert len(flavour.files.listed()) == 2
    edits.write(flavour.files.undoing(found))
    assert flavour.files.listed() == ()
    assert file.read_text() == MIRRORED


def test_the_hub_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnusable, match="hub"):
        containerd(tmp_path).files.edits((Address.parse("docker.io"),), ())


@pytest.mark.parametrize(
    ("version", "table"),
    [
        ("", "[plugins.cri.registry]"),
        ("version = 2\n", "[plugins.'io.containerd.grpc.v1.cri'.registry]"),
        ("version = 3\n", "[plugins.'io.containerd.cri.v1.images'.registry]"),
    ],
)
def test_kubernetes_needs_config_path(tmp_path: Path, programs: Programs, version: str, table: str) -> None:
    (tmp_path / "var/lib/kubelet").mkdir(parents=True)
    config = tmp_path / "etc/containerd/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(version)
    with pytest.raises(ConfigUnusable, match="no config_path") as caught:
        containerd(tmp_path)
    assert f'under {table}: config_path = "{tmp_path}/etc/containerd/certs.d"; then restart' in caught.value.hint
    assert programs.calls == [f"containerd --config {config} config dump"]
    programs.add("containerd", DUMP % ("", '[plugins."io.containerd.grpc.v1.cri".registry.mirrors.x]'))
    with pytest.raises(ConfigUnusable) as caught:
        containerd(tmp_path)
    assert "take out registry.mirrors" in caught.value.hint


def test_kubernetes_folder_is_used(tmp_path: Path, programs: Programs) -> None:
    (tmp_path / "var/lib/kubelet").mkdir(parents=True)
    programs.add("containerd", DUMP % (f"{tmp_path}/other:/etc/docker/certs.d", ""))
    assert containerd(tmp_path).files.path == tmp_path / "other"
    programs.add("containerd", (DUMP % ("", "")).replace("= []", '= ["io.containerd.grpc.v1.cri"]'))
    assert containerd(tmp_path).files.path == tmp_path / "etc/containerd/certs.d"


def test_a_containerd_that_cannot_be_asked(tmp_path: Path, programs: Programs) -> None:
    programs.add("containerd", "echo 'failed to load TOML: (2, 3)' >&2; exit 1")
    with pytest.raises(ConfigUnusable, match=r"failed to load TOML: \(2, 3\)"):
        containerd(tmp_path)


def test_it_pulls_into_a_namespace_that_goes_again(tmp_path: Path, programs: Programs) -> None:
    programs.add(
        "ctr", 'case "$*" in *pull*) echo "level=info x509:" >&2; echo "ctr: x/y: not found" >&2; exit 1; esac'
    )
    flavour = containerd(tmp_path)
    assert flavour.witness.reaches(A).reach is Reach.ANSWERED
    client = "ctr --address /run/own.sock"
    assert programs.calls[1:] == [
        f"{client} --namespace {module._NAMESPACE} images pull --hosts-dir {tmp_path}/etc/containerd/certs.d "
        "reg.example:5000/devreg-trust-probe:none",
        f"{client} namespaces remove {module._NAMESPACE}",
    ]
    assert flavour.witness.live() is None
    assert flavour.witness.covers(A) is None
    assert flavour.service.applies == "none"


def test_a_user_has_nerdctl(tmp_path: Path, home: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.host.files.is_root", lambda: False)
    programs.add("nerdctl", "echo 'http: server gave HTTP response to HTTPS client' >&2; exit 1")
    flavour = containerd(tmp_path)
    assert flavour.files.path == home / "config/containerd/certs.d"
    assert flavour.witness.reaches(A).reach is Reach.REFUSED
    assert "nerdctl --namespace" in programs.calls[-1]
