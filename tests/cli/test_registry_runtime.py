"""`devreg registry up --runtime`: what the server runs in, and that no command looks for it elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devreg.host.install_record import Before, Change, InstallRecord, Put
from devreg.host.system_units import UnitState
from devreg.model.installed import InstalledSite
from devreg.model.server import LABEL_ROLE, Listen
from tests.cli import registry
from tests.cli.conftest import Run, Serve
from tests.http.server import ScriptedServer
from tests.unit.engine.fake import FakeEngine

NO_ENGINE = "unix:///nowhere/docker.sock"


@pytest.fixture
def record(home: Path) -> Path:
    return home / "state/devreg/server.json"


@pytest.fixture
def published(serve: Serve, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    fake.images |= {"registry:2": "sha256:1", "nginx:stable-alpine": "sha256:2"}
    monkeypatch.setattr("devreg.host.ports.holder", lambda _listen: None)  # the scripted registry itself
    return serve(registry.answer)


@pytest.fixture
def no_fetching(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No program of a registry is here, and none can be had."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("devreg.host.server_programs._ALSO", "")
    monkeypatch.setattr("devreg.host.packages.available", lambda: False)


@pytest.fixture
def installed(home: Path) -> None:
    """A server that `registry install` has put in place, whoever runs the tests."""
    site = InstalledSite(Listen("127.0.0.1", 80), "127.0.0.1", "127.0.0.1", "off", None, "registry:2")
    before = Before({}, UnitState(), nginx=True, volume=False, network=False)
    record = InstallRecord(home / "state/devreg")
    record.begin(Change(before, {}))
    record.settle(Put({}, before, site))


@pytest.mark.parametrize("runtime", ["auto", "containers", "processes"])
@pytest.mark.usefixtures("installed")
def test_up_is_refused_where_a_server_is_installed(
    run: Run, fake: FakeEngine, published: ScriptedServer, runtime: str
) -> None:
    refused = run("registry", "up", "--listen", published.host, "--runtime", runtime)
    assert refused.code == 24
    assert "installed here as a service of systemd, docker.registry.service" in refused.err
    assert run("quickstart", "--yes", "--listen", published.host).code == 24
    assert fake.containers == {}


@pytest.mark.usefixtures("installed", "fake")
def test_an_installed_server_is_taken_away_and_renewed_by_others(run: Run) -> None:
    down = run("registry", "down")
    assert (down.code, "`devreg registry uninstall` takes it away" in down.err) == (30, True)
    upgrade = run("registry", "upgrade")
    assert (upgrade.code, "`systemctl restart docker.registry.service`" in upgrade.err) == (30, True)
    assert run("registry", "upgrade", "--nginx-image", "x").code == 2
    assert run("registry", "logs", "mirror").code == 22


def noted(record: Path, runtime: str) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"runtime": runtime}))


def test_containers_where_an_engine_answers(run: Run, published: ScriptedServer, record: Path) -> None:
    assert run("registry", "up", "--listen", published.host).code == 0
    assert json.loads(record.read_text())["runtime"] == "containers"
    assert run("registry", "down").code == 0
    assert record.exists()  # its data is still in the engine
    assert run("registry", "down", "--volumes", "--yes").code == 0
    assert not record.exists()


def test_down_keeps_what_containers_were_told_and_with_volumes_nothing(
    run: Run, fake: FakeEngine, published: ScriptedServer, record: Path
) -> None:
    words = ("registry", "up", "--listen", published.host, "--external-auth", "http://auth.example/check")
    assert run(*words, "--tls", "self-signed", "--domain", "a.example").code == 0
    assert run("registry", "down").code == 0
    assert fake.containers == {}
    again = run("registry", "up", "--json").data
    port = published.host.rpartition(":")[2]
    assert (again["tls"], again["external_auth"]) == ("self-signed", "http://auth.example/check")
    assert again["address"] == f"a.example:{port}"
    other = run("registry", "up", "--external-auth", "off", "--json").data
    assert (other["tls"], other["external_auth"]) == ("self-signed", None)
    fake.volumes.clear()  # and with it its containers: what is made anew was told nothing
    fake.containers.clear()
    new = run("registry", "up", "--listen", published.host, "--json").data
    assert (new["tls"], new["address"]) == ("off", published.host)
    assert run("registry", "down", "--volumes", "--yes").code == 0
    assert not record.exists()


def test_a_server_in_containers_waits_for_its_engine(
    run: Run, published: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("registry", "up", "--listen", published.host).code == 0
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    for words in (("registry", "up"), ("registry", "status"), ("registry", "user", "list"), ("quickstart",)):
        outcome = run(*words)
        assert outcome.code == 13, outcome.err
    assert "--runtime processes" in run("registry", "up").err


@pytest.mark.usefixtures("no_fetching")
def test_processes_where_none_answers_and_what_they_lack_is_named(run: Run) -> None:
    outcome = run("registry", "up")
    assert outcome.code == 30
    assert "running the registry as plain processes instead of containers" in outcome.err
    assert "there is no program here for: registry, nginx" in outcome.err
    assert "install nginx" in outcome.err


@pytest.mark.usefixtures("no_fetching")
def test_processes_where_they_are_asked_for(run: Run, fake: FakeEngine) -> None:
    outcome = run("registry", "up", "--runtime", "processes")
    assert outcome.code == 30
    assert "instead of containers" not in outcome.err
    assert fake.containers == {}


@pytest.mark.usefixtures("no_fetching", "fake")
def test_what_was_started_as_processes_stays_so(run: Run, record: Path) -> None:
    noted(record, "processes")
    assert run("registry", "status", "--json").data["runtime"] == "processes"
    assert run("registry", "up").code == 30
    assert run("registry", "user", "list").code == 30
    assert run("registry", "logs").code == 22
    assert run("registry", "down", "--json").document["changed"] is False


def test_containers_that_are_there_have_to_go_first(run: Run, fake: FakeEngine) -> None:
    fake.hold("devreg-nginx", Labels={LABEL_ROLE: "nginx"})
    outcome = run("registry", "up", "--runtime", "processes")
    assert outcome.code == 24
    assert "`devreg registry down`" in outcome.err


@pytest.mark.parametrize("words", [("registry", "up"), ("quickstart", "--yes")])
def test_elsewhere_than_on_linux_there_are_only_containers(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("devreg.host.server_programs.platform.system", lambda: "Darwin")
    assert run(*words).code == 13
    outcome = run(*words, "--runtime", "processes")
    assert outcome.code == 30
    assert "Linux only" in outcome.err


def test_the_tour_by_processes_waits_for_containers_to_go(run: Run, fake: FakeEngine) -> None:
    fake.hold("devreg-nginx", Labels={LABEL_ROLE: "nginx"})
    assert run("quickstart", "--yes", "--runtime", "processes").code == 24


def test_a_folder_is_for_processes(run: Run, published: ScriptedServer, tmp_path: Path) -> None:
    outcome = run("registry", "up", "--listen", published.host, "--data", str(tmp_path))
    assert outcome.code == 2
    assert "volume" in outcome.err


def test_a_folder_that_the_files_would_misread(run: Run) -> None:
    outcome = run("registry", "up", "--runtime", "processes", "--data", "/srv/a b")
    assert outcome.code == 2
    assert "/srv/a b" in outcome.err


def test_a_record_that_says_nothing_known_is_none(run: Run, record: Path) -> None:
    noted(record, "jails")
    assert run("registry", "status").code == 13
