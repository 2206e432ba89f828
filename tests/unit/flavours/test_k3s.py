"""k3s' registries.yaml: one registry put in and taken out, all else byte for byte; and what k3s made of it."""

from pathlib import Path

import pytest

from devreg.flavours.flavour import Flavour
from devreg.flavours.k3s import k3s
from devreg.host import edits
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable
from devreg.model.verdict import Reach
from tests.unit.host.programs import Programs

A, B = Address.parse("reg.example:5000"), Address.parse("other.example")
PLAIN = 'mirrors:\n  "reg.example:5000":\n    endpoint:\n      - "http://reg.example:5000"\n'
UNVERIFIED = 'configs:\n  "reg.example:5000":\n    tls:\n      insecure_skip_verify: true\n'
SOMEBODYS = """# ours
mirrors:   # all of them
    docker.io:
        endpoint: [ "https://mirror.example" ]

    # the second
    "*":
configs:
    "mirror.example":
        auth: {username: u, password: 'p'}   # secret
"""


@pytest.fixture(autouse=True)
def service(tmp_path: Path) -> Path:
    """The unit of a k3s server."""
    return write(
        tmp_path / "etc/systemd/system/k3s.service", "[Service]\nExecStart=/usr/local/bin/k3s \\\n server \\\n"
    )


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Programs(folder, monkeypatch)


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def settings(root: Path) -> Path:
    return root / "etc/rancher/k3s/registries.yaml"


def change(flavour: Flavour, add: tuple[Address, ...] = (), remove: tuple[Address, ...] = ()) -> int:
    found = flavour.files.edits(add, remove)
    edits.write(found)
    return len(found)


@pytest.mark.parametrize(("tls", "text"), [(None, PLAIN), (False, PLAIN), (True, UNVERIFIED)])
def test_a_file_is_made_and_goes_again(tmp_path: Path, tls: bool | None, text: str) -> None:
    flavour = k3s(tmp_path, lambda _: tls)
    assert flavour.files.path == settings(tmp_path)
    assert change(flavour, add=(A,)) == 1
    assert settings(tmp_path).read_text() == text
    assert flavour.files.listed() == ("reg.example:5000",)
    assert change(flavour, add=(A,)) == 0
    change(flavour, add=(B,))
    change(flavour, remove=(A,))
    assert flavour.files.listed() == ("other.example",)
    change(flavour, remove=(B,))
    assert not settings(tmp_path).exists()
    assert change(flavour, remove=(A,)) == 0


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_somebodys_file_keeps_every_byte(tmp_path: Path, tls: bool, newline: str) -> None:
    file = write(settings(tmp_path), "")
    before = SOMEBODYS.replace("\n", newline).encode()
    file.write_bytes(before)
    flavour = k3s(tmp_path, lambda _: tls)
    change(flavour, add=(A, B))
    assert set(flavour.files.listed()) == {"reg.example:5000", "other.example"}
    left = file.read_bytes()
    for line in before.splitlines(keepends=True):
        assert line in left
    change(flavour, remove=(A, B))
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "before",
    ["mirrors:\n", "configs:\n  x:\n    tls:\n      ca_file: /y\n", "# only a comment\n", "---\nmirrors:\n  x:\n...\n"],
)
def test_odd_files_can_be_added_to(tmp_path: Path, before: str) -> None:
    file = write(settings(tmp_path), before)
    flavour = k3s(tmp_path)
    change(flavour, add=(A,))
    assert flavour.files.lists(A)
    change(flavour, remove=(A,))
    assert not flavour.files.lists(A)
    assert not file.exists() or file.read_text() == before


def test_a_missing_last_newline_is_no_matter(tmp_path: Path) -> None:
    file = write(settings(tmp_path), "configs:\n  x:\n    tls:\n      ca_file: /y")
    change(k3s(tmp_path), add=(A,))
    assert file.read_text() == f"configs:\n  x:\n    tls:\n      ca_file: /y\n{PLAIN}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mirrors:\n  x: [\n", r"line \d, column \d"),
        ("mirrors:\n  x:\nmirrors:\n  y:\n", "line 3, column 1"),
        ("a: 1\nmirrors: [x]\n", "line 2, .*must be a mapping"),
        ("- mirrors\n", "line 1, .*must be a mapping"),
        ("mirrors:\n\tx:\n", "line 2, column 1"),
        ("mirrors: {x: {endpoint: [y]}}\n", "line 1, .*in braces"),
        ("mirrors:\n  reg.example:5000:\n", "line 2, .*already"),
        ("mirrors:\n  x:\n  'reg.example:5000':\n    endpoint: ['https://a']\n", "line 3, .*already"),
        ("a: 1\n---\nb: 1\n", "line 2, column 1"),
        ("a: !!python/object:os.system {}\nmirrors: &x {y: *z}\n", "line 2"),
    ],
)
def test_a_file_that_cannot_be_added_to_is_left_alone(tmp_path: Path, text: str, words: str) -> None:
    file = write(settings(tmp_path), text)
    with pytest.raises(ConfigUnusable, match=words) as caught:
        k3s(tmp_path).files.edits((A,), ())
    assert str(file) in caught.value.message
    assert file.read_text() == text


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write(settings(tmp_path), "").write_bytes(b"mirrors:\n  \xff:\n")
    with pytest.raises(ConfigUnusable, match="UTF-8"):
        k3s(tmp_path).files.listed()


@pytest.mark.parametrize(
    "text",
    [
        "mirrors:\n  reg.example:5000:\n    endpoint: ['http://reg.example:5000/v2']\n",
        PLAIN + "    rewrite:\n      a: b\n",
        UNVERIFIED + "      ca_file: x\n",
        "configs: {'reg.example:5000': {tls: {insecure_skip_verify: true}}}\n",
    ],
)
def test_an_entry_of_somebody_else_counts_and_stays(tmp_path: Path, text: str) -> None:
    write(settings(tmp_path), text)
    flavour = k3s(tmp_path)
    assert flavour.files.lists(A)
    assert change(flavour, add=(A,)) == 0
    with pytest.raises(ConfigUnusable, match=r"line [12], .*not by devreg"):
        flavour.files.edits((), (A,))


def test_undoing_brings_the_old_bytes_back(tmp_path: Path) -> None:
    file = write(settings(tmp_path), SOMEBODYS)
    flavour = k3s(tmp_path)
    found = flavour.files.edits((A,), ())
    edits.write(found)
    edits.write(flavour.files.undoing(found))
    assert file.read_text() == SOMEBODYS


def test_the_hub_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnusable, match="hub"):
        k3s(tmp_path).files.edits((Address.parse("index.docker.io"),), ())


def test_the_unit_that_is_there_is_restarted(tmp_path: Path, programs: Programs, service: Path) -> None:
    programs.add("systemctl", 'case "$*" in *reset-failed*) exit 1; esac')
    programs.add("k3s")
    k3s(tmp_path).service.restart()
    assert programs.calls == [
        "systemctl reset-failed k3s.service",
        "systemctl restart k3s.service",
        "k3s crictl version",
    ]
    service.rename(service.with_name("k3s-agent.service"))
    assert "sudo systemctl restart k3s-agent.service" in k3s(tmp_path).service.by_hand


def test_openrc_is_known_and_no_k3s_is_said(tmp_path: Path, service: Path) -> None:
    service.unlink()
    with pytest.raises(ConfigUnusable, match="no service here runs k3s"):
        k3s(tmp_path)
    write(tmp_path / "etc/init.d/k3s-agent", "")
    assert k3s(tmp_path).service.by_hand == "sudo rc-service k3s-agent restart"


def test_another_place_for_the_file(tmp_path: Path, service: Path) -> None:
    write(tmp_path / "etc/rancher/k3s/config.yaml", "private-registry: /a.yaml\n")
    assert k3s(tmp_path).files.path == Path("/a.yaml")
    service.write_text("ExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--private-registry' \\\n\t'/b.yaml' \\\n")
    assert k3s(tmp_path).files.path == Path("/b.yaml")
    write(service.with_name("k3s.service.d") / "x.conf", "ExecStart=k3s server --private-registry=/c.yaml\n")
    assert k3s(tmp_path).files.path == Path("/c.yaml")


def test_live_is_what_k3s_has_written_for_its_containerd(tmp_path: Path) -> None:
    generated = tmp_path / "var/lib/rancher/k3s/agent/etc/containerd"
    witness = k3s(tmp_path).witness
    assert witness.live() is None
    write(generated / "config.toml", "version = 3\n")
    assert witness.live() == frozenset()
    text = 'server = "https://reg.example:5000/v2"\n[host]\n[host."http://reg.example:5000/v2"]\n'
    write(generated / "certs.d/reg.example:5000/hosts.toml", text)
    assert witness.live() == frozenset({"reg.example:5000"})
    plugin = '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."old.example"]\nendpoint = ["http://old.example"]\n'
    write(generated / "config.toml", plugin)
    assert witness.live() == frozenset({"reg.example:5000", "old.example"})


def test_it_pulls_as_kubernetes_does(tmp_path: Path, programs: Programs) -> None:
    programs.add("k3s", 'echo "E1125 failed: reg.example:5000/x: not found" >&2; exit 1')
    assert k3s(tmp_path).witness.reaches(A).reach is Reach.ANSWERED
    assert programs.calls == ["k3s crictl pull reg.example:5000/devreg-trust-probe:none"]
