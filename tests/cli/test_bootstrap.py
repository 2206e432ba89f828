"""`devreg bootstrap`: the words, the lines, the JSON contract and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devreg.settings import user_file
from tests.cli import registry
from tests.cli.conftest import Run, Serve
from tests.cli.registry import PASSWORD, USER
from tests.http.server import ScriptedServer
from tests.unit.engine.fake import DIGEST, FakeEngine


@pytest.fixture
def server(serve: Serve) -> ScriptedServer:
    return serve(registry.guarded)


@pytest.fixture
def declared(tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A devreg.toml that declares a default registry, trust, a login and an image."""
    monkeypatch.setenv("CI_PASSWORD", PASSWORD)
    file = tmp_path / "devreg.toml"
    file.write_text(
        f'registry = "{server.host}"\npull = ["app:1"]\n\n[[registries]]\naddress = "{server.host}"\n'
        f'username = "{USER}"\npassword_env = "CI_PASSWORD"\n'
    )
    return file


def steps(host: str) -> list[str]:
    return ["default registry", f"login {host}", f"pull {host}/app:1"]


@pytest.mark.usefixtures("fake")
def test_one_line_for_each_step(run: Run, declared: Path, server: ScriptedServer, home: Path) -> None:
    outcome = run("bootstrap", str(declared))
    assert outcome.code == 0, outcome.err
    assert [line.split("\t") for line in outcome.out.splitlines()] == [
        ["default registry", "changed", f"set to {server.host}"],
        [f"login {server.host}", "changed", f"logged in as {USER}; kept in {home}/.docker/config.json"],
        [f"pull {server.host}/app:1", "changed", DIGEST],
    ]
    assert user_file().read_text() == f'registry = "{server.host}"\n'


def test_the_second_run_changes_nothing(run: Run, declared: Path, server: ScriptedServer, fake: FakeEngine) -> None:
    run("bootstrap", str(declared))
    fake.pull_lines = [{"status": f"Digest: {DIGEST}"}, {"status": "Status: Image is up to date for app:1"}]
    outcome = run("bootstrap", str(declared), "--json")
    assert outcome.code == 0
    assert outcome.document["changed"] is False
    assert outcome.data == {
        "steps": [
            {"name": name, "state": "unchanged", "detail": detail}
            for name, detail in zip(
                steps(server.host),
                [f"set to {server.host} already", f"logged in as {USER} already", DIGEST],
                strict=True,
            )
        ],
        "check": False,
    }


@pytest.mark.usefixtures("fake")
def test_a_check_exits_with_1_when_something_would_change(run: Run, declared: Path, home: Path) -> None:
    outcome = run("bootstrap", str(declared), "--check")
    assert outcome.code == 1
    assert [line.split("\t")[1] for line in outcome.out.splitlines()] == ["changed"] * 3
    assert "3 of 3 steps would change something" in outcome.err
    assert not user_file().exists()
    assert not (home / ".docker").exists()
    document = run("bootstrap", str(declared), "--check", "--json").document
    assert (document["ok"], document["changed"], document["errors"]) == (True, True, [])
    assert document["data"]["check"] is True


def test_a_check_exits_with_0_when_nothing_would(
    run: Run, declared: Path, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("bootstrap", str(declared)).code == 0
    monkeypatch.setattr("devreg.engine.digests.held", lambda *_: (DIGEST,))
    monkeypatch.setattr("devreg.actions.would_pull.offered", lambda *_: (DIGEST,))
    pulled = len(fake.requests("POST", "/images/create"))
    outcome = run("bootstrap", str(declared), "--check")
    assert (outcome.code, outcome.err) == (0, "")
    assert len(fake.requests("POST", "/images/create")) == pulled


def test_some_failed_is_exit_code_1(run: Run, declared: Path) -> None:
    outcome = run("bootstrap", str(declared))
    assert outcome.code == 1
    assert [line.split("\t")[1] for line in outcome.out.splitlines()] == ["changed", "changed", "failed"]
    assert "1 of 3 steps failed" in outcome.err
    assert "no engine answers" in outcome.err
    document = run("bootstrap", str(declared), "--json").document
    assert document["ok"] is False
    assert [error["code"] for error in document["errors"]] == ["engine-unreachable"]


@pytest.mark.usefixtures("server")
def test_all_failed_is_the_first_ones_exit_code(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "devreg.toml"
    file.write_text('pull = ["app:1", "app:2"]\n')
    outcome = run("bootstrap", str(file))
    assert outcome.code == 13
    assert outcome.out.count("\tfailed\t") == 2
    assert json.loads(run("bootstrap", str(file), "--json").out)["data"]["steps"][0]["state"] == "failed"


def test_a_password_on_standard_input(run: Run, declared: Path, server: ScriptedServer) -> None:
    text = declared.read_text().replace('password_env = "CI_PASSWORD"', "password_stdin = true")
    declared.write_text(text.replace('pull = ["app:1"]', ""))
    outcome = run("bootstrap", str(declared), input=f"{PASSWORD}\n")
    assert outcome.code == 0, outcome.err
    assert f"login {server.host}\tchanged" in outcome.out


def test_no_password_is_ever_told(run: Run, declared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_PASSWORD", "wrong-hunter2")
    outcome = run("bootstrap", str(declared))
    assert outcome.code == 1
    assert "hunter2" not in outcome.out + outcome.err


def test_a_fault_in_the_file_names_file_line_and_key(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "devreg.toml"
    file.write_text('\n[[registries]]\naddress = "a"\npasword_env = "X"\n')
    outcome = run("bootstrap", str(file))
    assert (outcome.code, outcome.out) == (10, "")
    assert f"devreg: {file}, line 4: registries[0].pasword_env: there is no such key" in outcome.err
    assert "password_env" in outcome.err


def test_the_file_is_devreg_toml_here(run: Run, declared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(declared.parent)
    declared.write_text("# nothing\n")
    outcome = run("bootstrap")
    assert (outcome.code, outcome.out) == (0, "")
    assert "nothing is declared" in outcome.err
    declared.unlink()
    assert run("bootstrap").code == 10


@pytest.mark.parametrize("system", ["cloud-init", "ansible", "github-actions", "gitlab-ci", "jenkins"])
def test_print_prints_the_snippet_and_does_nothing(run: Run, declared: Path, system: str, home: Path) -> None:
    outcome = run("bootstrap", str(declared), "--print", system)
    assert (outcome.code, outcome.err) == (0, "")
    assert 'password_env = "CI_PASSWORD"' in outcome.out
    assert PASSWORD not in outcome.out
    assert list(home.rglob("*")) == []


@pytest.mark.parametrize("option", ["--check", "--json"])
def test_print_goes_alone(run: Run, declared: Path, option: str) -> None:
    assert run("bootstrap", str(declared), "--print", "ansible", option).code == 2
