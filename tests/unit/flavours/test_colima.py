"""colima: how it is recognised, which profile's file it is, edits that leave every other byte, how it is restarted."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from devreg.engine.client import Engine, connect
from devreg.flavours.colima import ColimaYaml, colima, is_colima
from devreg.flavours.colima_yaml import with_entry, without_entry
from devreg.host import edits
from devreg.model.address import Address
from devreg.model.engine import EngineInfo
from devreg.model.errors import ConfigUnusable, EngineRefused, UsageError
from tests.unit.engine.fake import FakeEngine
from tests.unit.host.programs import Programs

INFO = EngineInfo("28.5.2", "Ubuntu 24.04 LTS", "linux", False, False, False, (), (), False, (), "overlay2", "colima")
OTHER = replace(INFO, name="somewhere")
A, B = "reg.example:5000", "[fd00::1]:5000"
AS_MADE = """# Number of CPUs to be allocated to the virtual machine.
# Default: 2
cpu: 2

# EXAMPLE - add insecure registries
# docker:
#   insecure-registries:
#     - myregistry.com:5000
#
# Default: {}
docker: {}   # nothing yet

# Default: []
mounts: []
"""
LISTED = (
    "docker:\n    features: {buildkit: true}\n    insecure-registries:\n        - one:1   # first\n        # second\n"
)
LISTED += "        - 'two'\nenv: {}\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Programs(folder, monkeypatch)


@pytest.fixture
def profile(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the profile `work`, beside whose settings the engine's socket lies."""
    engine = connect()
    folder = Path(engine.host.removeprefix("unix://")).parent / ".colima/work"
    folder.mkdir(parents=True)
    Path(engine.host.removeprefix("unix://")).rename(folder / "docker.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
    (folder / "colima.yaml").write_text(AS_MADE)
    del fake
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("name", "host", "known"),
    [
        ("colima", "unix:///var/run/docker.sock", True),
        ("colima-work", "unix:///var/run/docker.sock", True),
        ("colimated", "unix:///var/run/docker.sock", False),
        ("x", "unix:///Users/u/.colima/default/docker.sock", True),
        ("x", "unix:///home/u/.config/colima/work/docker.sock", True),
        ("x", "unix:///var/run/docker.sock", False),
        ("x", "unix:///docker.sock", False),
        ("x", "npipe:////./pipe/docker_engine", False),
    ],
)
def test_it_is_known_by_its_machine_or_its_socket(name: str, host: str, known: bool) -> None:
    assert is_colima(replace(INFO, name=name), host) is known


def test_a_machine_of_that_name_runs_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "colima")
    assert not is_colima(INFO, "unix:///var/run/docker.sock")


def test_the_profile_is_the_one_of_the_socket(profile: Path, home: Path) -> None:
    flavour = colima(Engine(f"unix://{profile}/docker.sock"), OTHER)
    assert (flavour.name, flavour.service.applies) == ("colima", "restart")
    assert flavour.files.path == profile / "colima.yaml"
    assert flavour.certificates == home / ".docker/certs.d"
    assert flavour.service.by_hand == "colima restart --profile work"
    (home / "link").symlink_to(profile / "docker.sock")
    assert colima(Engine(f"unix://{home}/link"), OTHER).files.path == profile / "colima.yaml"


@pytest.mark.usefixtures("fake")
def test_else_the_profile_is_the_one_of_the_machine(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def path(name: str) -> Path:
        return colima(connect(), replace(INFO, name=name)).files.path

    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert path("colima") == home / ".config/colima/default/colima.yaml"
    (home / ".colima").mkdir()
    assert path("colima-work") == home / ".colima/work/colima.yaml"
    monkeypatch.setenv("COLIMA_HOME", str(tmp_path))
    assert path("colima-work") == tmp_path / "work/colima.yaml"


def test_it_is_restarted(profile: Path, programs: Programs) -> None:
    flavour = colima(Engine(f"unix://{profile}/docker.sock"), INFO)
    with pytest.raises(EngineRefused, match="no such program"):
        flavour.preflight((), restart=True, force=False)
    programs.add("colima")
    flavour.preflight((), restart=True, force=False)
    flavour.service.restart()
    assert programs.calls == [f"colima {verb} --profile work" for verb in ("status", "restart")]


def test_another_users_is_refused(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    with pytest.raises(ConfigUnusable, match="and so are its files"):
        colima(Engine(f"unix://{profile}/docker.sock"), INFO)


def test_files_are_edited_and_put_back(tmp_path: Path) -> None:
    settings = ColimaYaml(tmp_path / "colima.yaml")
    address = Address.parse(A)
    assert settings.listed() == ()
    settings.path.write_text(AS_MADE)
    found = settings.edits((address,), ())
    edits.write(found)
    assert settings.lists(address)
    assert settings.edits((address,), ()) == ()
    edits.write(settings.undoing(found))
    assert settings.path.read_text() == AS_MADE
    with pytest.raises(ConfigUnusable, match="hub"):
        settings.edits((Address.parse("docker.io"),), ())
    with pytest.raises(UsageError, match="engines refuse"):
        settings.edits((Address.parse("[::1]"),), ())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "text",
    [
        AS_MADE,
        LISTED,
        "docker:\n  features:\n    buildkit: true\n",
        "docker:\n  insecure-registries:\n  - one\n",
        "docker: # ours\n  # features\n  x: 1\n",
        "---\ndocker: {}\n...\n",
    ],
)
def test_every_other_byte_stays(text: str, newline: str) -> None:
    before = text.replace("\n", newline)
    after = with_entry(with_entry(before, A, "f"), B, "f")
    for line in before.replace("docker: {}", "docker:").splitlines(keepends=True):
        assert line in after
    assert without_entry(without_entry(after, B, "f"), A, "f") == before


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", f'docker:\n  insecure-registries:\n    - "{A}"\n'),
        ("cpu: 2", f'cpu: 2\ndocker:\n  insecure-registries:\n    - "{A}"\n'),
        ("docker:\n", f'docker:\n  insecure-registries:\n    - "{A}"\n'),
        ("docker:\n  insecure-registries: []\n  x: 1\n", f'docker:\n  insecure-registries:\n    - "{A}"\n  x: 1\n'),
        ("docker:\n  insecure-registries:\n", f'docker:\n  insecure-registries:\n    - "{A}"\n'),
    ],
)
def test_where_there_is_no_list_one_is_made(text: str, after: str) -> None:
    assert with_entry(text, A, "f") == after


def test_all_spellings_of_an_entry_go() -> None:
    text = f"docker:\n  insecure-registries:\n    - {A}\n    - b\n    - http://{A}\n    - {A}\n"
    assert with_entry(text, A, "f") == text
    assert without_entry(text, A, "f") == "docker:\n  insecure-registries:\n    - b\n"
    assert without_entry("docker:\n  insecure-registries:\n    - b\n", "b", "f") == "docker: {}\n"
    assert without_entry(LISTED, A, "f") == LISTED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("docker: [x]\n", "line 1, column 1: `docker` must be a mapping"),
        ("cpu: 1\ndocker:\n  insecure-registries: x\n", "line 3, .*must be a list"),
        ("docker:\n  insecure-registries: [1]\n", "line 2, .*must be a list of strings"),
        ("- docker\n", "line 1, .*must be a mapping"),
        ("docker: {}\ncpu: 2\ndocker: {}\n", "line 3, column 1"),
        ("docker: {\n", "line 2, column 1"),
        ("docker:\n\tx: 1\n", "line 2, column 1"),
        ("docker: {x: 1}\n", "line 1, .*in braces"),
        ("docker:\n  insecure-registries: [b]\n", "line 2, .*in braces or brackets"),
        ("docker: {\n}\n", "cannot be changed here"),
        ("{cpu: 1}\n", "cannot be changed here"),
        ("docker: &x\n  a: 1\nother: *x\n", "cannot be changed here"),
        ("base: &b\n  insecure-registries: [z]\ndocker:\n  <<: *b\n", "line 4, .*comes from elsewhere"),
    ],
)
def test_what_cannot_be_edited_is_named(text: str, words: str) -> None:
    with pytest.raises(ConfigUnusable, match=f"^f, .*{words}"):
        with_entry(text, A, "f")


def test_an_entry_in_brackets_is_left_to_the_user() -> None:
    with pytest.raises(ConfigUnusable, match=r"line 2, .*in brackets"):
        without_entry(f"docker:\n  insecure-registries: ['{A}']\n", A, "f")


_KEYS = st.text("abc -#'\"&*!|>%@é", min_size=1, max_size=6)
_LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | _KEYS
_VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3))


@given(
    rest=st.dictionaries(_KEYS, _VALUES, max_size=3),
    docker=st.dictionaries(_KEYS, _VALUES, max_size=3),
    listed=st.none() | st.lists(st.sampled_from(["a", "b:1", "10.0.0.0/8"]), unique=True),
    flow=st.sampled_from([False, None]),
    indent=st.sampled_from([2, 4]),
)
def test_every_other_setting_stays(
    rest: dict[str, Any], docker: dict[str, Any], listed: list[str] | None, flow: bool | None, indent: int
) -> None:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.indent, yaml.allow_unicode = flow, indent, True
    settings = {**rest, "docker": docker if listed is None else {**docker, "insecure-registries": listed}}
    stream = StringIO()
    yaml.dump(settings, stream)
    try:
        after = with_entry(stream.getvalue(), A, "f")
    except ConfigUnusable:
        return  # refused, and so untouched
    found = YAML(typ="rt").load(after)
    assert sorted(found["docker"].pop("insecure-registries")) == sorted([*(listed or []), A])
    assert found == {**rest, "docker": docker}
    removed = YAML(typ="rt").load(without_entry(after, A, "f"))
    assert removed == {**rest, "docker": {**docker, "insecure-registries": listed} if listed else docker}
