"""`devreg registry install` and `uninstall`: what they refuse before anything is changed. The rest is in tests/live."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.unit.engine.fake import FakeEngine

WORDS = ("registry", "install", "--plain-http")


@pytest.fixture
def fit(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root, on a machine with systemd, nginx and Docker's command; its engine is another than the machine's own."""
    del fake
    monkeypatch.setattr("devreg.actions.serving.install.files.is_root", lambda: True)
    monkeypatch.setattr("devreg.actions.serving.install.system_units.booted", lambda: True)
    monkeypatch.setattr("devreg.actions.serving.install.system_nginx.installed", lambda: True)
    monkeypatch.setattr("devreg.actions.serving.install._DOCKER", Path("/"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "passwords would cross the network in the clear"),
        (("--listen", ":5000"), "passwords would cross the network in the clear"),
        (("--tls", "a.pem,a.key"), "a.pem"),
        (("--plain-http", "--domain", "a;b"), "a;b"),
        (("--plain-http", "--listen", "nowhere"), "nowhere"),
        (("--plain-http", "--user", "a:b"), "a:b"),
    ],
)
@pytest.mark.usefixtures("fake")
def test_what_makes_no_sense_is_refused(run: Run, words: tuple[str, ...], said: str) -> None:
    outcome = run("registry", "install", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err


@pytest.mark.parametrize(
    ("missing", "code", "said"),
    [
        ("files.is_root", 10, "sudo"),
        ("system_units.booted", 30, "`devreg registry up` needs none"),
        ("system_nginx.installed", 30, "apt-get install nginx"),
    ],
)
@pytest.mark.parametrize("words", [WORDS, ("registry", "uninstall")])
@pytest.mark.usefixtures("fit")
def test_what_it_needs_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, missing: str, code: int, said: str, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr(f"devreg.actions.serving.install.{missing}", lambda: False)
    outcome = run(*words)
    assert outcome.code == code
    assert said in outcome.err


@pytest.mark.usefixtures("fit")
def test_the_service_runs_in_the_machines_own_engine(run: Run) -> None:
    outcome = run(*WORDS)
    assert outcome.code == 30
    assert "without DOCKER_HOST" in outcome.err


@pytest.mark.usefixtures("fit")
def test_a_certificate_that_is_missing_is_named(
    run: Run, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del fake
    monkeypatch.setattr("devreg.actions.serving.install.refuse_unfit", lambda _engine: None)
    outcome = run("registry", "install", "--tls", f"{tmp_path}/no.pem,{tmp_path}/no.key")
    assert outcome.code == 10
    assert f"{tmp_path}/no.pem does not exist" in outcome.err


@pytest.mark.usefixtures("fake")
def test_what_is_not_installed_is_not_taken_away(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.actions.serving.uninstall.refuse_unfit", lambda _engine: None)
    assert run("registry", "uninstall").out == "the registry was not installed\n"
    assert run("registry", "uninstall", "--json").document["changed"] is False
    assert run("registry", "uninstall", "--volumes").code == 2, "nobody can be asked"
