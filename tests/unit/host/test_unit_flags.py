"""Flags that dockerd gets at its next start, read out of units, drop-ins and settings files by their rules."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devreg.host import unit_flags
from devreg.host.unit_flags import places
from tests.unit.host.programs import Programs

FLAG, UNIT = "--insecure-registry", "docker.service"
START = "ExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock\n"
GIVEN = f"ExecStart=/usr/bin/dockerd {FLAG}=a:1\n"


class Units:
    """systemd's folders in a folder of the test's own, by their short names, the highest first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders = {name: root / name / "systemd/system" for name in ("etc", "run", "local", "lib", "usr")}
        self.fragment = self.folders["lib"] / UNIT

    def unit(self, text: str, folder: str = "lib") -> None:
        path = self.folders[folder] / UNIT
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def drop_in(self, name: str, text: str, folder: str = "etc", of: str = UNIT) -> Path:
        path = self.folders[folder] / f"{of}.d" / name
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
    programs = Programs(folder, monkeypatch)
    programs.add("systemctl")
    return programs


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Units:
    units = Units(tmp_path / "root")
    monkeypatch.setattr(unit_flags, "SYSTEM_FOLDERS", tuple(map(str, units.folders.values())))
    monkeypatch.setattr(unit_flags, "_INIT_SETTINGS", tmp_path / "default-docker")
    return units


def test_a_unit_without_the_flag(units: Units, programs: Programs) -> None:
    units.unit(f"[Unit]\nDescription=Docker\n\n[Service]\n{START}ExecReload=/bin/kill -s HUP $MAINPID\n")
    assert units.found() == []
    assert programs.calls == []


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


@pytest.mark.parametrize("mark", ["#", ";", "  #", "\t;"])
def test_comments_do_not_end_a_line_that_goes_on(units: Units, mark: str) -> None:
    units.unit(
        f"[Service]\nExecStart=/usr/bin/dockerd \\\n{mark} why\n  {FLAG}=a:1 \\\n{mark} \\\n  --debug\nType=notify\n"
    )
    (line,) = places(FLAG, UNIT)
    assert line.text.split() == ["ExecStart=/usr/bin/dockerd", f"{FLAG}=a:1", "--debug"]
    units.unit(f"[Service]\nExecStart=/usr/bin/dockerd \\\n{mark} {FLAG}=a:1 \\\n  --debug\n")
    assert units.found() == []


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


@pytest.mark.parametrize(
    ("low", "high"),
    [("usr", "lib"), ("lib", "local"), ("local", "run"), ("lib", "run"), ("usr", "etc"), ("run", "etc")],
)
def test_a_drop_in_hides_the_one_of_its_name_in_a_lower_folder(units: Units, low: str, high: str) -> None:
    units.unit(f"[Service]\n{START}")
    units.drop_in("x.conf", f"[Service]\nExecStart=\n{GIVEN}", folder=low)
    assert units.found() == [f"{low}/{UNIT}.d/x.conf, line 3"]
    units.drop_in("x.conf", "", folder=high)
    assert units.found() == []


def test_a_drop_in_of_every_service(units: Units) -> None:
    units.unit("[Service]\nExecStart=/usr/bin/dockerd $O\n")
    units.drop_in("50-all.conf", f'[Service]\nEnvironment="O={FLAG} a:1"\n', of="service", folder="etc")
    assert units.found() == ["etc/service.d/50-all.conf, line 2"]
    units.drop_in("50-all.conf", "", folder="lib")
    assert units.found() == []


def test_the_fragment_of_the_highest_folder_counts_also_before_a_daemon_reload(units: Units) -> None:
    units.unit(f"[Service]\n{START}")
    units.unit(f"[Service]\n{GIVEN}", folder="local")
    assert units.found() == [f"local/{UNIT}, line 2"]
    units.unit(f"[Service]\n{START}", folder="etc")
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


@pytest.mark.parametrize("later", ["Environment=O=--debug\nEnvironment=P=1", "", "Environment="])
def test_a_file_of_variables_wins_wherever_it_stands(units: Units, tmp_path: Path, later: str) -> None:
    settings = tmp_path / "root/docker.env"
    units.unit(f"[Service]\nEnvironmentFile={settings}\n{later}\nExecStart=/usr/bin/dockerd $O\n")
    settings.write_text(f"O={FLAG} a:1\n")
    assert units.found() == ["docker.env, line 1"]


def test_a_file_of_variables_takes_a_flag_away(units: Units, tmp_path: Path) -> None:
    settings = tmp_path / "root/docker.env"
    units.unit(f'[Service]\nEnvironmentFile=-{settings}\nEnvironment="O={FLAG} a:1"\nExecStart=/usr/bin/dockerd $O\n')
    assert units.found() == [f"lib/{UNIT}, line 3"]
    settings.write_text("O=--debug\n")
    assert units.found() == []


def test_of_files_of_variables_the_later_wins(units: Units, tmp_path: Path) -> None:
    for name, value in {"1": "--debug", "2": f"{FLAG} a:1"}.items():
        (tmp_path / f"root-{name}").write_text(f"O={value}\n")
    for names, found in {"12": 1, "21": 0, "11": 0, "221": 0}.items():
        files = "".join(f"EnvironmentFile={tmp_path}/root-{name}\n" for name in names)
        units.unit(f"[Service]\n{files}ExecStart=/usr/bin/dockerd $O\n")
        assert len(units.found()) == found, names


@pytest.mark.parametrize("pattern", ["en*", "-en*", "e?v*", "[ef]nv-?", "-en*/", "-/"])
def test_files_of_variables_by_a_pattern(units: Units, tmp_path: Path, pattern: str) -> None:
    folder = tmp_path / "root/conf"
    folder.mkdir(parents=True)
    dash, name = ("-", pattern[1:]) if pattern.startswith("-") else ("", pattern)
    units.unit(f"[Service]\nEnvironmentFile={dash}{folder}/{name}\nExecStart=/usr/bin/dockerd $O\n")
    for file, value in {"env-a": "--debug", "env-b": f"{FLAG}=a:1", ".env-c": "--debug"}.items():
        (folder / file).write_text(f"O={value}\n")
    assert units.found() == ([] if pattern.endswith("/") else ["conf/env-b, line 1"])


@pytest.mark.parametrize(
    "name", ["docker.env", '"{}/docker.env"', "- {}/docker.env", "--{}/docker.env", "%h/docker.env"]
)
def test_only_whole_paths_are_files_of_variables(
    units: Units, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docker.env").write_text(f"O={FLAG} a:1\n")
    units.unit(f"[Service]\nEnvironmentFile={name.format(tmp_path)}\nExecStart=/usr/bin/dockerd $O\n")
    assert units.found() == []


@pytest.mark.parametrize("key", ["Environment", "EnvironmentFile", "ExecStart"])
def test_nothing_drops_what_came_before(units: Units, tmp_path: Path, key: str) -> None:
    settings = tmp_path / "root/docker.env"
    units.unit("")
    settings.write_text(f"O={FLAG} a:1\n")
    give = {
        "Environment": f'Environment="O={FLAG} a:1"\nExecStart=/usr/bin/dockerd $O\n',
        "EnvironmentFile": f"EnvironmentFile={settings}\nExecStart=/usr/bin/dockerd $O\n",
        "ExecStart": GIVEN,
    }[key]
    units.unit(f"[Service]\n{give}")
    assert len(units.found()) == 1
    units.drop_in("x.conf", f"[Service]\n{key} = \n")
    assert units.found() == []
    units.drop_in("y.conf", f"[Service]\n{give}")
    assert units.found()


def test_every_start_counts(units: Units) -> None:
    units.unit(f"[Service]\nType=oneshot\nExecStart=/bin/true\n{GIVEN}ExecStart=/bin/true\n")
    assert units.found() == [f"lib/{UNIT}, line 4"]


def test_a_variable_counts_by_its_own_value_only(units: Units) -> None:
    units.unit(
        f'[Service]\nEnvironment="A={FLAG} a:1" "B=--label A=1 O=1" O=--debug\nExecStart=/usr/bin/dockerd $O $B\n'
    )
    assert units.found() == []
    units.drop_in("x.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd $B -H fd:// $A\n")
    assert units.found() == [f"lib/{UNIT}, line 2"]


@pytest.mark.parametrize("start", ["dockerd $O $P", "dockerd -x${O}", "/bin/sh -c 'exec dockerd $$O'", ":dockerd $O"])
def test_wherever_a_variable_is_used(units: Units, start: str) -> None:
    units.unit(f'[Service]\nEnvironment="O={FLAG}=a:1" OO=1\nExecStart={start}\n')
    assert units.found() == [f"lib/{UNIT}, line 2"]


def test_longer_and_shorter_names_are_other_variables(units: Units) -> None:
    units.unit(f'[Service]\nEnvironment="O={FLAG}=a:1"\nExecStart=/usr/bin/dockerd $OO $o ${{O_}} $ O\n')
    assert units.found() == []


def test_specifiers_are_left_as_they_are(units: Units) -> None:
    units.unit(f'[Service]\nEnvironment="O=%n {FLAG} %H:5000"\nExecStart=/usr/bin/dockerd --label %n=%% $O\n')
    (line,) = places(FLAG, UNIT)
    assert line.text == f'Environment="O=%n {FLAG} %H:5000"'


def test_no_unit_by_that_name_has_drop_ins_at_most(units: Units) -> None:
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


def test_a_file_of_variables_with_bytes_that_are_no_text_gives_nothing(units: Units, tmp_path: Path) -> None:
    settings = tmp_path / "root/docker.env"
    units.unit(f'[Service]\nEnvironmentFile=-{settings}\nEnvironment="O={FLAG}=a:1"\nExecStart=/usr/bin/dockerd $O\n')
    settings.write_bytes(b"O=--debug\n# caf\xe9\n")
    assert units.found() == []
    settings.write_bytes(b"O=--debug\nCAF\xc9=1\n")
    assert units.found() == [f"lib/{UNIT}, line 3"]


@pytest.mark.parametrize("unreadable", ["folder", "pipe", "loop", "nowhere", "null", "long"])
def test_what_cannot_be_read_gives_nothing(units: Units, tmp_path: Path, unreadable: str) -> None:
    def make(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if unreadable == "folder":
            path.mkdir()
        elif unreadable == "pipe":
            os.mkfifo(path)
        else:
            to = {
                "loop": path,
                "nowhere": tmp_path / "nowhere",
                "null": Path("/dev/null"),
                "long": tmp_path / ("x" * 300),
            }
            path.symlink_to(to[unreadable])

    settings, drop_in = tmp_path / "root/docker.env", units.folders["etc"] / f"{UNIT}.d/x.conf"
    units.unit(f"[Service]\nEnvironmentFile={settings}\nEnvironmentFile=/{'x' * 300}\n{GIVEN}ExecStart=dockerd $O\n")
    make(settings)
    make(drop_in)
    make(units.folders["run"] / f"{UNIT}.d")
    assert units.found() == [f"lib/{UNIT}, line 4"]


def test_a_file_name_that_is_no_text(units: Units) -> None:
    units.unit(f"[Service]\n{START}")
    path = units.drop_in("x.conf", f"[Service]\nExecStart=\n{GIVEN}")
    path.rename(os.fsdecode(os.fsencode(path.parent) + b"/\xff.conf"))
    (line,) = places(FLAG, UNIT)
    assert str(line).encode().endswith(b"/?.conf, line 3")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (None, []),
        ("", []),
        (f'DOCKER_OPTS="{FLAG}=a:1"\n', ["1"]),
        (f'# DOCKER_OPTS="{FLAG}=a:1"\nDOCKER_OPTS="--debug"\n', []),
        (f'export A=1\nDOCKER_OPTS="--debug \\\n{FLAG} a:1"\n', ["2"]),
        (f'DOCKER_OPTS="{FLAG}s=a:1"\n', []),
        (f'if true; then\n  DOCKER_OPTS="$DOCKER_OPTS {FLAG}=a:1"\nfi\n', ["2"]),
        (f"echo {FLAG}\n", []),
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
