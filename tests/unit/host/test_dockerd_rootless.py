"""A dockerd that no root started: its files are where its own environment says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from devreg.host.dockerd import Manager, find, program

Start = Callable[..., Path]


def test_its_file_is_in_its_users_folder(dockerd: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    path = dockerd(child=True)
    monkeypatch.setenv("HOME", "/elsewhere")
    found = find(path, rootless=True)
    assert found.config_file == Path("/home/u/.config/docker/daemon.json")
    assert found.folder == Path("/home/u/.config/docker")
    assert (found.manager, found.unit, found.restartable) == (Manager.DETACHED, None, False)
    assert find(path).folder == Path("/etc/docker")


def test_its_environment_counts(dockerd: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/srv/settings")
    assert find(dockerd(child=True), rootless=True).config_file == Path("/srv/settings/docker/daemon.json")


def test_its_flag_counts_more(dockerd: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/srv/settings")
    found = find(dockerd("--config-file", "/x/d.json", child=True), rootless=True)
    assert found.config_file == Path("/x/d.json")
    assert found.folder == Path("/srv/settings/docker")


def test_the_program_behind_a_socket(dockerd: Start, tmp_path: Path) -> None:
    assert program(dockerd()) == str((tmp_path / "dockerd").resolve())
    assert program(tmp_path / "none") == ""
