"""Flags that dockerd gets at its next start, read out of units, drop-ins and settings files by their rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from devreg.host import unit_flags
from devreg.host.unit_flags import places
from tests.unit.host.programs import Programs

FLAG, UNIT = "--insecure-registry", "docker.service"
START = "ExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock\n"
GIVEN = f"ExecStart=/usr/bin/dockerd {FLAG}=a:1\n"


class Units:
    """systemd's folders in a folder of the test's own, by their short names, and a systemctl."""

    def __init__(self, root: Path, programs: Programs) -> None:
        self.root = root
        self._programs = programs
        self.folders = {name: root / name / "systemd/system" for name in ("usr", "lib", "run", "etc")}
        self.fragment = self.folders["lib"] / UNIT

    def unit(self, text: str) -> None:
        self.fragment.parent.mkdir(parents=True, exist_ok=True)
        self.fragment.write_text(text)
        self._programs.add("systemctl", f"echo {self.fragment}")

    def drop_in(self, name: str, text: str, folder: str = "etc") -> Path:
        path = self.folders[folder] / f"{UNIT}.d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def found(self) -> list[str]:
        """Where the flag is given, the folders left out of it."""
        return [str(line).replace(f"{self.root}/", "").replace("systemd/system/", "") for line in places(FLAG, UNIT)]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "bin"
    folder.mkdir()
    return Programs(folder, monkeypatch)


@pytest.fixture
def units(tmp_path: Path, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Units:
    units = Units(tmp_path / "root", programs)
    monkeypatch.setattr(unit_flags, "_FOLDERS", tuple(map(str, units.folders.values())))
    monkeypatch.setattr(unit_flags, "_INIT_SETTINGS", tmp_path / "default-docker")
    programs.add("systemctl", "exit 1")
    return units


def test_a_unit_without_the_flag(units: Units, programs: Programs) -> None:
    units.unit(f"[Unit]\nDescription=Docker\n\n[Service]\n{START}ExecReload=/bin/kill -s HUP $MAINPID\n")
    assert units.found() == []
    assert programs.calls == [f"systemctl show {UNIT} --property=FragmentPath --value"]


@pytest.mark.parametrize(
    "words", [f"{FLAG}=a:1", f"{FLAG} a:1", f'"{FLAG}=a:1"', f"-D {FLAG}=a:1 {FLAG}=b:1", f"{FLAG}\ta:1"]
)
def test_the_fragment_gives_it(units: Units, words: str) -> None:
    units.unit(f"[Service]\nType=notify\nExecStart=/usr/bin/dockerd {words}\n")
    assert units.found() == [f"lib/{UNIT}, line 3"]


@pytest.mark.parametrize("words", [f"{FLAG}s=a:1", f"--no{FLAG}=a:1", f"-{FLAG}=a:1", "--insecure=a:1"])
def test_longer_and_shorter_flags_are_others(units: Units, words: str) -> None:
    units.unit(f"[Service]\nExecStart=/usr/bin/dockerd {words}\n")
    assert units.found() == []


@pytest.mark.parametrize("key", ["ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop", "Description"])
def test_other_lines_give_nothing(units: Units, key: str) -> None:
    units.unit(f"[Service]\n{START}{key}=/bin/echo {FLAG}=a:1\n")
    assert units.found() == []


@pytest.mark.parametrize("mark", ["#", ";", "  #", "\t;"])
def test_comments_give_nothing(units: Units, mark: str) -> None:
    units.unit(f"[Service]\n{mark} {GIVEN}{START}")
    assert units.found() == []


def test_a_line_goes_on_behind_a_backslash(units: Units) -> None:
    units.unit(f"[Service]\nExecStart=/usr/bin/dockerd \\\n  -H fd:// \\\n  {FLAG}=a:1 \\\n  --debug\nType=notify\n")
    (line,) = places(FLAG, UNIT)
    assert str(line) == f"{units.fragment}, line 2"
    assert line.text.split() == ["ExecStart=/usr/bin/dockerd", "-H", "fd://", f"{FLAG}=a:1", "--debug"]


def test_spaces_around_the_sign(units: Units) -> None:
    units.unit(f"[Service]\n  ExecStart =  /usr/bin/dockerd {FLAG}=a:1\r\n")
    assert units.found() == [f"lib/{UNIT}, line 2"]


def test_a_drop_in_that_replaces_the_start(units: Units) -> None:
    units.unit(f"[Service]\n{START}")
    units.drop_in("flags.conf", f"[Service]\nExecStart=\n{GIVEN}")
    assert units.found() == [f"etc/{UNIT}.d/flags.conf, line 3"]


def test_an_empty_start_drops_the_flag_of_the_fragment(units: Units) -> None:
    units.unit(f"[Service]\n{GIVEN}")
    units.drop_in("clean.conf", f"[Service]\nExecStart=\n{START}")
    assert units.found() == []


def test_the_last_drop_in_by_name_decides_whatever_its_folder(units: Units) -> None:
    units.unit(f"[Service]\n{START}")
    units.drop_in("20-clean.conf", f"[Service]\nExecStart=\n{START}", folder="usr")
    units.drop_in("10-flags.conf", f"[Service]\nExecStart=\n{GIVEN}", folder="etc")
    assert units.found() == []
    units.drop_in("30-flags.conf", f"[Service]\nExecStart=\n{GIVEN}", folder="run")
    assert units.found() == [f"run/{UNIT}.d/30-flags.conf, line 3"]


@pytest.mark.parametrize(("earlier", "later"), [("usr", "lib"), ("lib", "run"), ("usr", "etc"), ("run", "etc")])
def test_a_drop_in_hides_the_one_of_its_name_in_an_earlier_folder(units: Units, earlier: str, later: str) -> None:
    units.unit(f"[Service]\n{START}")
    units.drop_in("x.conf", f"[Service]\nExecStart=\n{GIVEN}", folder=earlier)
    assert units.found() == [f"{earlier}/{UNIT}.d/x.conf, line 3"]
    units.drop_in("x.conf", "", folder=later)
    assert units.found() == []


def test_only_conf_files_count(units: Units) -> None:
    units.unit(f"[Service]\n{START}")
    for name in ("flags.conf.bak", "flags", "flags.conf~"):
        units.drop_in(name, f"[Service]\nExecStart=\n{GIVEN}")
    assert units.found() == []


@pytest.mark.parametrize("variable", ["$DOCKER_OPTS", "${DOCKER_OPTS}"])
def test_a_variable_of_the_unit(units: Units, variable: str) -> None:
    units.unit(f'[Service]\nEnvironment="DOCKER_OPTS={FLAG}=a:1"\nExecStart=/usr/bin/dockerd {variable}\n')
    assert units.found() == [f"lib/{UNIT}, line 2"]


def test_a_variable_that_is_not_used(units: Units) -> None:
    units.unit(f'[Service]\nEnvironment="OTHER={FLAG}=a:1"\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n')
    assert units.found() == []


def test_a_drop_in_overrides_a_variable(units: Units) -> None:
    units.unit(f'[Service]\nEnvironment="DOCKER_OPTS={FLAG}=a:1"\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n')
    units.drop_in("clean.conf", '[Service]\nEnvironment="DOCKER_OPTS=--debug"\n')
    assert units.found() == []
    units.drop_in("flags.conf", f"[Service]\nEnvironment=A=1 'DOCKER_OPTS={FLAG} b:1'\n")
    assert units.found() == [f"etc/{UNIT}.d/flags.conf, line 2"]


@pytest.mark.parametrize("dash", ["", "-"])
def test_a_file_of_variables(units: Units, tmp_path: Path, dash: str) -> None:
    settings = tmp_path / "root/docker.env"
    units.unit(f"[Service]\nEnvironmentFile={dash}{settings}\nExecStart=/usr/bin/dockerd $DOCKER_OPTS\n")
    assert units.found() == []
    settings.write_text(f'# DOCKER_OPTS="{FLAG}=a:1"\n\nDOCKER_OPTS="--debug"\n')
    assert units.found() == []
    settings.write_text(f'OTHER=1\nDOCKER_OPTS="--debug \\\n  {FLAG}=a:1"\n')
    assert units.found() == ["docker.env, line 2"]


def test_no_unit_by_that_name_has_drop_ins_at_most(units: Units, programs: Programs) -> None:
    assert units.found() == []
    programs.add("systemctl", "echo")
    assert units.found() == []
    units.drop_in("flags.conf", f"[Service]\nExecStart=\n{GIVEN}")
    assert units.found() == [f"etc/{UNIT}.d/flags.conf, line 3"]


def test_a_fragment_that_cannot_be_read(units: Units) -> None:
    units.unit("")
    units.fragment.unlink()
    units.fragment.mkdir()
    assert units.found() == []


def test_bytes_that_are_no_text(units: Units) -> None:
    units.unit("")
    units.fragment.write_bytes(b"# \xff\xfe\n[Service]\n" + GIVEN.encode())
    assert units.found() == [f"lib/{UNIT}, line 3"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (None, []),
        ("", []),
        (f'DOCKER_OPTS="{FLAG}=a:1"\n', ["1"]),
        (f'# DOCKER_OPTS="{FLAG}=a:1"\nDOCKER_OPTS="--debug"\n', []),
        (f'export A=1\nDOCKER_OPTS="--debug \\\n{FLAG} a:1"\n', ["2"]),
        (f'DOCKER_OPTS="{FLAG}s=a:1"\n', []),
    ],
)
@pytest.mark.usefixtures("units")
def test_without_a_unit_only_the_settings_of_the_init_script_count(
    tmp_path: Path, programs: Programs, text: str | None, lines: list[str]
) -> None:
    file = tmp_path / "default-docker"
    if text is not None:
        file.write_text(text)
    assert [str(line) for line in places(FLAG, None)] == [f"{file}, line {number}" for number in lines]
    assert programs.calls == []
