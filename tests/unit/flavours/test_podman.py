"""podman's registries: what is read of all files, what is written into devreg's own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.flavours.flavour import Flavour
from devreg.flavours.podman import podman
from devreg.flavours.registries_conf import NAME, Table
from devreg.host import edits
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable
from devreg.model.verdict import Reach

A, B = Address.parse("reg.example:5000"), Address.parse("[fd00::1]:5000")
Put = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a podman that says nothing and ends well; the user is root."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "podman", "exit 0")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("devreg.host.files.is_root", lambda: True)
    monkeypatch.delenv("CONTAINERS_REGISTRIES_CONF", raising=False)
    return folder


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a file of the system's: its name below /etc/containers, and its text."""

    def write(name: str, text: str) -> Path:
        file = tmp_path / "etc/containers" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return write


def program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def entry(name: str, insecure: str = "true") -> str:
    return f'[[registry]]\nlocation = "{name}"\ninsecure = {insecure}\n'


def change(flavour: Flavour, add: tuple[Address, ...] = (), remove: tuple[Address, ...] = ()) -> int:
    found = flavour.files.edits(add, remove)
    edits.write(found)
    return len(found)


def test_a_drop_in_is_made_and_goes_with_the_last_entry(tmp_path: Path) -> None:
    flavour = podman(tmp_path)
    assert flavour.files.path == tmp_path / "etc/containers/registries.conf.d" / NAME
    assert flavour.files.listed() == ()
    assert change(flavour, add=(A, B)) == 1
    assert flavour.files.listed() == ("reg.example:5000", "[fd00::1]:5000")
    assert entry("reg.example:5000") in flavour.files.path.read_text()
    assert change(flavour, add=(A, B)) == 0
    one = flavour.files.path.read_bytes()
    change(flavour, remove=(A,))
    assert flavour.files.listed() == ("[fd00::1]:5000",)
    change(flavour, add=(A,), remove=())
    change(flavour, remove=(B,))
    change(flavour, add=(B,))
    assert flavour.files.path.read_bytes() == one
    assert change(flavour, remove=(A, B)) == 1
    assert not flavour.files.path.exists()
    assert change(flavour, remove=(A,)) == 0


def test_what_others_wrote_counts_and_is_left_alone(tmp_path: Path, put: Put) -> None:
    main = put("registries.conf", f"# mine\n\n{entry('reg.example:5000')}")
    flavour = podman(tmp_path)
    assert flavour.files.lists(A)
    assert not flavour.files.lists(Address.parse("reg.example:5001"))
    assert not flavour.files.lists(Address.parse("reg.example"))
    assert change(flavour, add=(A,)) == 0
    with pytest.raises(ConfigUnusable, match=r"registries\.conf, line 4, .* makes it insecure"):
        flavour.files.edits((), (A,))
    assert main.read_text().startswith("# mine")


@pytest.mark.parametrize(
    "name", ["registries.conf", "registries.conf.d/10-first.conf", "registries.conf.d/90-last.conf"]
)
def test_a_table_that_says_otherwise_is_named(tmp_path: Path, put: Put, name: str) -> None:
    put(name, entry("reg.example:5000", "false"))
    with pytest.raises(ConfigUnusable, match=rf"{name}, line 2, .* not insecure"):
        podman(tmp_path).files.edits((A,), ())


def test_the_last_table_of_a_prefix_is_in_force(tmp_path: Path, put: Put) -> None:
    put("registries.conf", entry("reg.example:5000"))
    put("registries.conf.d/90-last.conf", entry("reg.example:5000", "false"))
    put("registries.conf.d/99.txt", entry("reg.example:5000"))
    assert not podman(tmp_path).files.lists(A)


def test_a_prefix_goes_before_a_location_and_format_1_is_read(tmp_path: Path, put: Put) -> None:
    put("registries.conf", '[registries.insecure]\nregistries = ["old.example"]\n')
    put("registries.conf.d/1.conf", '[[registry]]\nprefix = "short.example"\nlocation = "long/x"\ninsecure = true\n')
    assert podman(tmp_path).files.listed() == ("old.example", "short.example")


def test_a_users_file_hides_the_systems(tmp_path: Path, put: Put, home: Path) -> None:
    put("registries.conf", entry("reg.example:5000"))
    own = home / ".config/containers"
    assert podman(tmp_path).files.lists(A)
    own.mkdir(parents=True)
    (own / "registries.conf").touch()
    flavour = podman(tmp_path)
    assert not flavour.files.lists(A)
    assert flavour.files.path == own / "registries.conf.d" / NAME


def test_a_user_has_a_folder_of_his_own(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.host.files.is_root", lambda: False)
    flavour = podman(tmp_path)
    assert flavour.files.path == home / ".config/containers/registries.conf.d" / NAME
    assert flavour.certificates == home / ".config/containers/certs.d"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[[registry]\n", "line 1, column 12"),
        ("a = 1\n[[registry]]\nlocation = 'x'\nlocation = 'y'\n", "line 4, column 1"),
        ("[[registry]]\nlocation = 5\n", "line 1, column 1"),
        ("[[registry]]\nlocation = 'x'\ninsecure = 'true'\n", "line 2, column 1"),
        ("registry = 'x'\n", "line 1, column 1"),
    ],
)
def test_a_broken_file_is_named_by_line_and_column(tmp_path: Path, put: Put, text: str, place: str) -> None:
    file = put("registries.conf.d/broken.conf", text)
    with pytest.raises(ConfigUnusable, match=place) as caught:
        podman(tmp_path).files.edits((A,), ())
    assert str(file) in caught.value.message
    assert not podman(tmp_path).files.path.exists()


def test_a_block_that_was_edited_by_hand_is_not_cut(tmp_path: Path) -> None:
    flavour = podman(tmp_path)
    change(flavour, add=(A,))
    text = flavour.files.path.read_text() + "[[registry.mirror]]\nlocation = 'm'\n"
    flavour.files.path.write_text(text.replace("insecure = true\n", "blocked = false\ninsecure = true\n"))
    with pytest.raises(ConfigUnusable, match="edited by hand"):
        flavour.files.edits((), (A,))


def test_undoing_brings_the_old_bytes_back(tmp_path: Path, put: Put) -> None:
    put(f"registries.conf.d/{NAME}", "# kept\n")
    flavour = podman(tmp_path)
    found = flavour.files.edits((A,), ())
    edits.write(found)
    assert flavour.files.path.read_text().startswith("# kept\n\n[[registry]]")
    edits.write(flavour.files.undoing(found))
    assert flavour.files.path.read_text() == "# kept\n"


def test_the_hub_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnusable, match="hub"):
        podman(tmp_path).files.edits((Address.parse("docker.io"),), ())


@pytest.mark.parametrize(
    ("prefix", "reference", "matches"),
    [
        ("reg.example", "reg.example/a", True),
        ("reg.example", "reg.example:5000/a", True),  # measured on podman 4.3
        ("reg.example", "reg.example.org/a", False),
        ("reg.example:5000", "reg.example:50001/a", False),
        ("reg.example/team", "reg.example/team/a", True),
        ("reg.example/team", "reg.example/teams", False),
        ("*.example", "reg.example:5000/a", True),
        ("*.example", "a.b.example/x", True),
        ("*.example", "example/x", False),
        ("*.example", "other.org/reg.example", False),
    ],
)
def test_a_prefix_matches_as_podman_has_it(prefix: str, reference: str, matches: bool) -> None:
    assert Table(prefix, True, Path("f"), 1).matches(reference) is matches


def test_an_address_can_be_covered_by_another_entry(tmp_path: Path, put: Put) -> None:
    put("registries.conf", entry("reg.example") + '[[registry]]\nprefix = "*.example"\ninsecure = false\n')
    flavour = podman(tmp_path)
    covered = flavour.witness.covers(A)
    assert covered is not None
    assert "the entry reg.example in" in covered
    assert flavour.witness.covers(Address.parse("other.example")) is None
    change(flavour, add=(A,))
    assert flavour.witness.covers(A) is None


@pytest.mark.parametrize(
    ("script", "reach"),
    [
        ("exit 0", Reach.ANSWERED),
        ("echo 'pinging: http: server gave HTTP response to HTTPS client' >&2; exit 125", Reach.REFUSED),
        ("echo 'Error: reading manifest none in h/p: manifest unknown' >&2; exit 125", Reach.ANSWERED),
        ("echo 'Failed, retrying: x509: old' >&2; echo 'dial tcp: i/o timeout' >&2; exit 125", Reach.UNREACHABLE),
    ],
)
def test_its_last_words_are_the_verdict(tmp_path: Path, programs: Path, script: str, reach: Reach) -> None:
    program(programs / "podman", script)
    flavour = podman(tmp_path)
    assert flavour.witness.reaches(A).reach is reach
    assert flavour.witness.live() is None
    assert flavour.witness.stops() == ()
    assert (flavour.service.applies, flavour.service.by_hand, flavour.service.answers()) == ("none", "", True)


def test_skopeo_will_do(tmp_path: Path, programs: Path) -> None:
    (programs / "podman").unlink()
    program(programs / "skopeo", 'echo "$@: manifest unknown" >&2; exit 1')
    verdict = podman(tmp_path).witness.reaches(A)
    assert verdict.words == "inspect docker://reg.example:5000/devreg-trust-probe:none: manifest unknown"
    (programs / "skopeo").unlink()
    with pytest.raises(ConfigUnusable, match="no podman, buildah or skopeo"):
        podman(tmp_path)


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12))
def test_any_row_of_changes_ends_with_what_was_asked(tmp_path_factory: pytest.TempPathFactory, row: list[str]) -> None:
    flavour = podman(tmp_path_factory.mktemp("etc"))
    wanted: set[str] = set()
    for host in row:
        address = (Address.parse(f"{host}.example:5000"),)
        change(flavour, remove=address) if host in wanted else change(flavour, add=address)
        wanted ^= {host}
        assert set(flavour.files.listed()) == {f"{host}.example:5000" for host in wanted}
    assert flavour.files.path.exists() is bool(wanted)
