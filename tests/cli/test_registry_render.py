"""`devreg registry render`: printed, written, and never over what somebody has edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from devreg.model.rendered import untouched
from tests.cli.conftest import Run

WORDS = ("registry", "render", "--target", "nginx")


def test_one_file_is_printed_as_it_is(run: Run) -> None:
    assert untouched(run(*WORDS).out)


def test_several_are_told_apart(run: Run) -> None:
    lines = run("registry", "render", "--target", "systemd").out.splitlines()
    assert [line for line in lines if line.startswith("# ==>")] == [
        "# ==> /etc/systemd/system/docker.registry.service <==",
        "# ==> /etc/docker.registry.yml <==",
        "# ==> /etc/nginx/conf.d/docker.registry.conf <==",
    ]


def test_a_second_run_changes_nothing(run: Run, tmp_path: Path) -> None:
    first = run(*WORDS, "--dir", str(tmp_path / "new"), "--json").document
    second = run(*WORDS, "--dir", str(tmp_path / "new"), "--json").document
    assert (first["changed"], second["changed"]) == (True, False)
    assert [each["state"] for each in second["data"]["written"]] == ["unchanged"]
    assert second["data"]["files"][0]["text"] == (tmp_path / "new/docker.registry.conf").read_text()


def test_a_newer_definition_is_written_over_an_untouched_file(run: Run, tmp_path: Path) -> None:
    run(*WORDS, "--dir", str(tmp_path))
    outcome = run(*WORDS, "--domain", "registry.example.com", "--dir", str(tmp_path))
    assert (outcome.code, outcome.out) == (0, f"{tmp_path}/docker.registry.conf (changed)\n")


@pytest.mark.parametrize("foreign", [False, True])
def test_an_edited_or_foreign_file_is_left_alone(run: Run, tmp_path: Path, foreign: bool) -> None:
    file = tmp_path / "docker.registry.conf"
    run(*WORDS, "--dir", str(tmp_path))
    edited = "mine\n" if foreign else file.read_text() + "# mine\n"
    file.write_text(edited)
    outcome = run(*WORDS, "--dir", str(tmp_path))
    assert (outcome.code, outcome.out, file.read_text()) == (24, "", edited)
    assert "\n-" in outcome.err, "the difference is shown"
    assert "mine" in outcome.err
    assert run(*WORDS, "--dir", str(tmp_path), "--force").code == 0
    assert untouched(file.read_text())


def test_force_keeps_a_copy(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.actions.serving.render.state_folder", lambda: tmp_path / "state")
    (tmp_path / "docker.registry.conf").write_text("mine\n")
    run(*WORDS, "--dir", str(tmp_path), "--force")
    (copy,) = (tmp_path / "state/rendered").iterdir()
    assert copy.read_text() == "mine\n"


@pytest.mark.parametrize(
    "words",
    [
        ("--target", "swarm", "--storage", "s3"),
        ("--target", "swarm", "--storage", "nfs"),
        ("--target", "swarm", "--replicas", "2"),
        ("--target", "swarm", "--storage", "nfs", "--export", "nas"),
        ("--target", "swarm", "--storage", "s3", "--bucket", "a;b"),
        ("--target", "swarm", "--storage", "s3", "--bucket", "b", "--endpoint", "http://a/b"),
        ("--target", "compose", "--tls", "/a.pem,/a.key"),
        ("--target", "swarm", "--domain", "registry.example.com"),
        ("--target", "systemd", "--storage", "nfs", "--export", "nas:/images"),
        ("--target", "compose", "--replicas", "2"),
        ("--target", "nginx", "--tls", "self-signed"),
        ("--target", "nginx", "--tls", "a.pem,a.key"),
        ("--target", "nginx", "--tls", "/a b.pem,/a.key"),
        ("--target", "nginx", "--domain", "a;b"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, words: tuple[str, ...]) -> None:
    outcome = run("registry", "render", *words)
    assert (outcome.code, outcome.out) == (2, "")


def test_an_image_that_is_none_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVREG_NGINX_IMAGE", "nginx; rm")
    assert run("registry", "render", "--target", "compose").code == 2
