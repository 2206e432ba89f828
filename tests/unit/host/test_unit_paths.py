"""Which files make up a service, and in which order: by the rules that `systemd --test` of 252 was seen to follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from devreg.host.unit_paths import SYSTEM_FOLDERS, unit_files

HIGH_TO_LOW = ("etc", "run", "local", "usr")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in HIGH_TO_LOW:
        (tmp_path / name).mkdir()
    return tmp_path


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("[Service]\n")


def found(root: Path, unit: str = "docker.service") -> list[str]:
    return [str(path.relative_to(root)) for path in unit_files(unit, [str(root / name) for name in HIGH_TO_LOW])]


def test_nothing_there(root: Path) -> None:
    assert found(root) == []
    (root / "usr").rmdir()
    assert found(root) == []


def test_the_folders_of_the_machine() -> None:
    order = [
        SYSTEM_FOLDERS.index(f"{start}/systemd/system") for start in ("/etc", "/run", "/usr/local/lib", "/usr/lib")
    ]
    assert order == sorted(order)


def test_one_fragment_then_drop_ins_by_their_names(root: Path) -> None:
    for folder, name in zip(HIGH_TO_LOW, ("4", "2", "3", "1"), strict=True):
        put(root, f"{folder}/docker.service", f"{folder}/docker.service.d/{name}.conf")
    dropins = [
        f"{folder}/docker.service.d/{name}.conf"
        for name, folder in zip("1234", ("usr", "run", "local", "etc"), strict=True)
    ]
    assert found(root) == ["etc/docker.service", *dropins]


@pytest.mark.parametrize("mask", ["empty", "null", "nowhere", "folder"])
def test_what_masks_a_drop_in(root: Path, mask: str) -> None:
    put(root, "usr/docker.service.d/x.conf", "local/docker.service.d/x.conf", "run/docker.service.d/.keep")
    masking = root / "run/docker.service.d/x.conf"
    if mask == "empty":
        masking.touch()
    elif mask == "folder":
        masking.mkdir()
    else:
        masking.symlink_to("/dev/null" if mask == "null" else root / "nowhere")
    assert found(root) == ["run/docker.service.d/x.conf"]


def test_the_drop_ins_of_every_service_come_below_those_of_the_unit(root: Path) -> None:
    put(root, "etc/service.d/x.conf", "etc/service.d/a.conf", "run/service.d/a.conf", "usr/docker.service.d/x.conf")
    assert found(root) == ["etc/service.d/a.conf", "usr/docker.service.d/x.conf"]


def test_hidden_and_other_files_are_none(root: Path) -> None:
    put(root, *(f"etc/docker.service.d/{name}" for name in (".x.conf", "x", "x.conf~", "x.conf.bak", "conf")))
    assert found(root) == []


@pytest.mark.parametrize("there", ["null", "empty"])
def test_a_masked_fragment_counts(root: Path, there: str) -> None:
    put(root, "usr/docker.service")
    (root / "etc/docker.service").symlink_to("/dev/null") if there == "null" else (root / "etc/docker.service").touch()
    assert found(root) == ["etc/docker.service"]


def test_links_to_nowhere_and_folders_are_no_fragments(root: Path) -> None:
    put(root, "usr/docker.service")
    (root / "etc/docker.service").symlink_to(root / "nowhere")
    (root / "run/docker.service").mkdir()
    (root / "local/docker.service").symlink_to("docker.service")
    assert found(root) == ["usr/docker.service"]


def test_an_instance_has_its_templates_files(root: Path) -> None:
    put(root, "etc/docker@.service", "etc/docker@.service.d/a.conf", "usr/docker@one.service.d/b.conf")
    put(root, "etc/docker@two.service.d/c.conf", "etc/docker.service")
    assert found(root, "docker@one.service") == [
        "etc/docker@.service",
        "etc/docker@.service.d/a.conf",
        "usr/docker@one.service.d/b.conf",
    ]
    put(root, "usr/docker@one.service")
    assert found(root, "docker@one.service")[0] == "usr/docker@one.service"


def test_a_name_with_dashes_has_drop_ins_of_its_beginnings(root: Path) -> None:
    put(root, "etc/my-.service.d/a.conf", "etc/my-docker-.service.d/b.conf", "etc/my.service.d/c.conf")
    put(root, "etc/my-docker-daemon.service.d/a.conf")
    assert found(root, "my-docker-daemon.service") == [
        "etc/my-docker-daemon.service.d/a.conf",
        "etc/my-docker-.service.d/b.conf",
    ]
    put(root, "usr/my-docker-daemon.service.d/b.conf")
    assert "etc/my-docker-.service.d/b.conf" in found(root, "my-docker-daemon.service")
