"""buildkitd.toml of a buildkitd, and of builders of buildx."""

import base64
import json
from pathlib import Path

import pytest

from devreg.flavours.buildkit import buildkit
from devreg.flavours.buildx import buildx
from devreg.flavours.flavour import Flavour
from devreg.host import edits
from devreg.host.services import ServiceFailed
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable
from devreg.model.verdict import Reach
from tests.unit.host.programs import Programs

A, B = Address.parse("reg.example:5000"), Address.parse("other.example")
TABLE = '[registry."reg.example:5000"]\n  http = true\n  insecure = true\n'
SOMEBODYS = """# ours
debug = true   # loud

[registry."docker.io"]
  mirrors = ["mirror.example"]

[worker.oci]
  gc = false
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Programs(folder, monkeypatch)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a unit for buildkitd; the user is root."""
    monkeypatch.setattr("devreg.host.files.is_root", lambda: True)
    unit = tmp_path / "usr/lib/systemd/system/buildkit.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\nExecStart=/usr/local/bin/buildkitd --addr fd://\n")
    (tmp_path / "etc/buildkit").mkdir(parents=True)
    return tmp_path


def change(flavour: Flavour, add: tuple[Address, ...] = (), remove: tuple[Address, ...] = ()) -> int:
    found = flavour.files.edits(add, remove)
    edits.write(found)
    return len(found)


def test_a_file_is_made_and_goes_again(root: Path) -> None:
    flavour = buildkit(root)
    assert flavour.files.path == root / "etc/buildkit/buildkitd.toml"
    assert change(flavour, add=(A,)) == 1
    assert flavour.files.path.read_text() == TABLE
    assert change(flavour, add=(A,)) == 0
    change(flavour, add=(B,))
    change(flavour, remove=(A,))
    assert flavour.files.listed() == ("other.example",)
    change(flavour, remove=(B,))
    assert not flavour.files.path.exists()
    assert change(flavour, remove=(B,)) == 0


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_somebodys_file_keeps_every_byte(root: Path, newline: str) -> None:
    before = SOMEBODYS.replace("\n", newline).encode()
    (root / "etc/buildkit/buildkitd.toml").write_bytes(before)
    flavour = buildkit(root)
    found = flavour.files.edits((A, B), ())
    edits.write(found)
    assert flavour.files.path.read_bytes().startswith(before)
    assert flavour.files.listed() == ("reg.example:5000", "other.example")
    change(flavour, remove=(A,))
    change(flavour, remove=(B,))
    assert flavour.files.path.read_bytes() == before
    edits.write(flavour.files.edits((A,), ()))
    edits.write(flavour.files.undoing(flavour.files.edits((), (A,))))
    assert flavour.files.lists(A)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('# a\n[registry."reg.example:5000"]\n  ca = ["x"]\n', "line 2, .*a table already"),
        ('[registry."reg.example:5000"]\nhttp = false\n', "line 1, .*a table already"),
        ("[a]\nb = 1\nb = 2\n", "line 3, .*twice"),
        ("a = [1\n[b]\n", "line 2, column"),
        ('registry = { "docker.io" = { http = true } }\n', "`registry`|twice"),
    ],
)
def test_a_file_that_cannot_be_added_to_is_left_alone(root: Path, text: str, words: str) -> None:
    file = root / "etc/buildkit/buildkitd.toml"
    file.write_text(text)
    with pytest.raises(ConfigUnusable, match=words):
        buildkit(root).files.edits((A,), ())
    assert file.read_text() == text


@pytest.mark.parametrize("text", [TABLE + '  ca = ["x"]\n', '[registry."reg.example:5000"]\nhttp = true\n'])
def test_an_entry_of_somebody_else_counts_and_stays(root: Path, text: str) -> None:
    (root / "etc/buildkit/buildkitd.toml").write_text(text)
    flavour = buildkit(root)
    assert change(flavour, add=(A,)) == 0
    with pytest.raises(ConfigUnusable, match=r"line 1, .*not by devreg"):
        flavour.files.edits((), (A,))


def test_the_hub_is_refused(root: Path) -> None:
    with pytest.raises(ConfigUnusable, match="hub"):
        buildkit(root).files.edits((Address.parse("docker.io"),), ())


def test_without_a_unit_the_way_by_hand_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.host.files.is_root", lambda: True)
    with pytest.raises(ConfigUnusable, match="no unit") as caught:
        buildkit(tmp_path)
    assert f"{tmp_path}/etc/buildkit/buildkitd.toml" in caught.value.hint


def test_a_users_buildkitd(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.host.files.is_root", lambda: False)
    unit = home / ".config/systemd/user/buildkit.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    flavour = buildkit(tmp_path)
    assert flavour.files.path == home / "config/buildkit/buildkitd.toml"
    assert flavour.service.by_hand.endswith("; systemctl --user restart buildkit.service")
    assert "sudo" not in flavour.service.by_hand
    unit.write_text("ExecStart=buildkitd --config=/own.toml\n")
    assert buildkit(tmp_path).files.path == Path("/own.toml")


def test_buildkitd_fetches_a_frontend(root: Path, programs: Programs) -> None:
    programs.add(
        "buildctl", 'echo "error: failed to solve: http: server gave HTTP response to HTTPS client" >&2; exit 1'
    )
    flavour = buildkit(root)
    assert flavour.witness.reaches(A).reach is Reach.REFUSED
    assert programs.calls[0].endswith("--frontend gateway.v0 --opt source=reg.example:5000/devreg-trust-probe:none")
    assert flavour.service.applies == "restart"
    assert flavour.witness.live() is None


def test_a_restart_that_fails_is_told(root: Path, programs: Programs) -> None:
    programs.add("systemctl", 'case "$*" in *"restart "*) echo "Job failed" >&2; exit 1; esac')
    with pytest.raises(ServiceFailed, match=r"buildkit\.service could not be restarted: .*Job failed"):
        buildkit(root).service.restart()


def test_silence_after_a_restart_is_told(root: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.flavours.plain_services._SECONDS", 1)
    programs.add("systemctl", 'case "$*" in *is-active*) exit 3; esac')
    flavour = buildkit(root)
    assert not flavour.service.answers()
    with pytest.raises(ServiceFailed, match="does not answer"):
        flavour.service.restart()


def instance(home: Path, *, copy: str = "", driver: str = "docker-container", nodes: int = 1) -> Path:
    """A builder `b` as buildx writes it down."""
    node = {
        "Name": "b0",
        "Endpoint": "unix:///var/run/docker.sock",
        "Platforms": [{"architecture": "arm", "os": "linux", "variant": "v7"}],
        "DriverOpts": {"network": "host"},
        "Flags": ["--debug", "--allow-insecure-entitlement=network.host"],
        "Files": {"buildkitd.toml": base64.b64encode(copy.encode()).decode()} if copy else None,
    }
    file = home / ".docker/buildx/instances/b"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"Name": "b", "Driver": driver, "Nodes": [node] * nodes, "Dynamic": False}))
    return file


def test_a_builder_is_made_anew_as_it_was(home: Path, programs: Programs) -> None:
    instance(home, copy=TABLE)
    folder = home / ".docker/buildx"
    (folder / "current").write_text('{"Key": "unix:///var/run/docker.sock", "Name": "b", "Global": false}')
    programs.add("docker")
    flavour = buildx("b")
    assert flavour.files.path == folder / "buildkitd.default.toml"
    assert flavour.witness.live() == frozenset({"reg.example:5000"})
    assert change(flavour, add=(B,)) == 1
    flavour.service.restart()
    assert programs.calls == [
        "docker buildx rm --keep-state b",
        f"docker buildx create --name b --node b0 --driver docker-container --config {flavour.files.path} "
        "--driver-opt network=host --buildkitd-flags --debug --allow-insecure-entitlement=network.host "
        "--platform linux/arm/v7 --use unix:///var/run/docker.sock",
        "docker buildx inspect --bootstrap b",
        "docker buildx inspect b",
    ]
    assert "--buildkitd-flags '--debug --allow" in flavour.service.by_hand
    assert flavour.service.applies == "restart"


def test_a_builder_pulls_for_a_build(home: Path, programs: Programs) -> None:
    instance(home)
    programs.add("docker", 'read line; echo "ERROR: failed to solve: $line: not found" >&2; exit 1')
    verdict = buildx("b").witness.reaches(A)
    assert verdict.reach is Reach.ANSWERED
    assert "FROM reg.example:5000/devreg-trust-probe:none" in verdict.words
    assert buildx("b").witness.live() == frozenset()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"driver": "docker"}, "its driver is docker"),
        ({"nodes": 2}, "has 2 nodes"),
        ({"copy": "debug = true\n"}, "says more than"),
        ({"copy": '[registry."x"]\n  ca = ["y"]\n'}, "says more than"),
        ({"copy": "a = \n"}, "line 1, column 5"),
    ],
)
def test_a_builder_that_cannot_be_made_anew(home: Path, options: dict[str, object], words: str) -> None:
    instance(home, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigUnusable, match=words):
        buildx("b")


def test_a_builder_of_the_default_file_can_be(home: Path) -> None:
    instance(home, copy=SOMEBODYS)
    (home / ".docker/buildx/buildkitd.default.toml").write_text(SOMEBODYS + TABLE)
    assert buildx("b").files.lists(A)


def test_no_such_builder_and_a_damaged_one(home: Path) -> None:
    with pytest.raises(ConfigUnusable, match="no builder"):
        buildx("b")
    instance(home).write_text("{")
    with pytest.raises(ConfigUnusable, match="not valid JSON"):
        buildx("b")
