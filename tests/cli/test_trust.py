"""`devreg trust`, `untrust` and what `status` says of drift, with an engine that reads a real daemon.json."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from devreg.flavours import dockerd_service
from devreg.host import daemon_check, dockerd, services, unit_flags
from devreg.host.dockerd import Dockerd, Launch, Manager
from devreg.registry import handshake
from devreg.registry.handshake import Handshake, Tls
from tests.cli.conftest import NOBODY, Run
from tests.unit.engine.fake import FakeEngine

A, B = "registry.example:5000", "other.example"
BEFORE = '{\n  "debug": true,\n  "insecure-registries": ["old:1"]\n}\n'
AFTER = BEFORE.replace('"old:1"', f'"old:1", "{A}"')
KEYS = {"address", "addresses", "flavour", "file", "applied", "verified", "changed", "diff", "dry_run", "probes"}


class Docker:
    """The fake engine's dockerd: it reads its file when it is told to, and tells that it did."""

    def __init__(self, fake: FakeEngine, file: Path) -> None:
        self.fake = fake
        self.file = file
        self.told: list[str] = []
        # Nothing runs under this process' own id that could be asked or restarted.
        launch = Launch(("dockerd",), Path("/"), Path("/dev/null"), {})
        self.process = Dockerd(os.getpid(), file, (), Manager.DETACHED, launch=launch)
        self.read()

    def read(self) -> None:
        """Trust what the file lists, as a reload does."""
        listed = json.loads(self.file.read_text()).get("insecure-registries")
        if listed is not None:
            self.fake.info["RegistryConfig"]["IndexConfigs"] = {name: {"Secure": False} for name in listed}
        self.fake.reloads.append(time.time())

    def reload(self, _: Dockerd) -> None:
        self.told.append("reload")
        self.read()

    def restart(self, process: Dockerd, _: object) -> Dockerd:
        self.told.append("restart")
        self.read()
        return process

    @property
    def trusted(self) -> list[str]:
        return list(self.fake.info["RegistryConfig"]["IndexConfigs"])


@pytest.fixture
def docker(fake: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    file = tmp_path / "daemon.json"
    file.write_text(BEFORE)
    docker = Docker(fake, file)
    for module in (dockerd, dockerd_service):
        monkeypatch.setattr(module, "find", lambda _: docker.process)
    monkeypatch.setattr(services, "reload", docker.reload)
    monkeypatch.setattr(services, "restart", docker.restart)
    monkeypatch.setattr(daemon_check, "complaint", lambda *_: None)
    monkeypatch.setattr(unit_flags, "places", lambda *_: ())
    monkeypatch.setattr(handshake, "shake", lambda *_, **__: Handshake(Tls.PLAIN_HTTP))
    return docker


def untouched(docker: Docker) -> bool:
    """Whether nothing was changed."""
    return docker.file.read_text() == BEFORE and docker.told == [] and docker.trusted == ["old:1"]


# A dry run


def test_a_dry_run_shows_what_would_be_done(run: Run, docker: Docker) -> None:
    outcome = run("trust", A, "--dry-run")
    assert (outcome.code, outcome.err) == (0, "")
    rows, diff = outcome.out.split("---", 1)
    assert dict(line.split("\t") for line in rows.splitlines()) == {
        "engine": "rootful",
        "file": str(docker.file),
        "applied by": "reload",
        "stops": "-",
    }
    assert diff.splitlines()[-5:] == [
        " {",
        '   "debug": true,',
        '-  "insecure-registries": ["old:1"]',
        f'+  "insecure-registries": ["old:1", "{A}"]',
        " }",
    ]
    assert untouched(docker)


def test_a_dry_run_as_json(run: Run, docker: Docker) -> None:
    outcome = run("trust", A, B, "--dry-run", "--json")
    document, data = outcome.document, outcome.data
    assert (outcome.code, outcome.err) == (0, "")
    assert (document["schema"], document["command"], document["ok"]) == ("devreg/1", "trust", True)
    assert document["changed"] is True
    assert set(data) >= KEYS
    assert (data["address"], data["addresses"]) == (A, [A, B])
    assert (data["flavour"], data["file"], data["applied"]) == ("rootful", str(docker.file), "reload")
    assert (data["changed"], data["dry_run"], data["probes"], data["backup"]) == (True, True, [], None)
    assert f'+  "insecure-registries": ["old:1", "{A}", "{B}"]' in data["diff"].splitlines()
    assert untouched(docker)


def test_a_dry_run_names_the_containers_that_a_restart_stops(run: Run, docker: Docker) -> None:
    docker.fake.hold("web", HostConfig={"RestartPolicy": {"Name": "always"}})
    docker.fake.hold("job")
    outcome = run("trust", A, "--dry-run", "--restart")
    assert "applied by\trestart" in outcome.out.splitlines()
    assert "stops\tjob, web" in outcome.out.splitlines()
    assert run("trust", A, "--dry-run", "--restart", "--json").data["stopped"] == ["job", "web"]
    assert untouched(docker)


@pytest.mark.parametrize(("command", "address"), [("trust", "old:1"), ("untrust", A)])
def test_a_dry_run_with_nothing_to_do(run: Run, docker: Docker, command: str, address: str) -> None:
    assert run(command, address, "--dry-run").out == f"{address}: nothing would be changed\n"
    outcome = run(command, address, "--dry-run", "--json")
    assert outcome.document["changed"] is False
    assert (outcome.data["applied"], outcome.data["diff"], outcome.data["dry_run"]) == ("none", "", True)
    assert untouched(docker)


def test_a_dry_run_refuses_what_the_run_would(run: Run, docker: Docker) -> None:
    docker.file.write_text('{\n  "debug": true,\n  "debug": false\n}\n')
    outcome = run("trust", A, "--dry-run")
    assert (outcome.code, outcome.out) == (10, "")
    assert f"{docker.file}, line 3, column 3: the key 'debug' is there twice" in outcome.err


# The real run


def test_trust_and_untrust(run: Run, docker: Docker) -> None:
    outcome = run("trust", A)
    assert outcome.code == 0
    assert outcome.out.startswith(
        f"Docker trusts {A}: {docker.file} changed, engine reloaded and asked; the file before"
    )
    assert docker.file.read_text() == AFTER
    assert (docker.told, docker.trusted) == (["reload"], ["old:1", A])
    assert run("trust", A).out == f"{A}: trusted already; nothing was changed\n"
    outcome = run("untrust", A)
    assert outcome.out.startswith(f"Docker no longer trusts {A}: ")
    assert docker.file.read_text() == BEFORE
    assert run("untrust", A).out == f"{A}: not in the list; nothing was changed\n"
    assert docker.told == ["reload", "reload"]


def test_trust_as_json(run: Run, docker: Docker) -> None:
    outcome = run("trust", A, "--json")
    assert outcome.document["changed"] is True
    assert set(outcome.data) >= KEYS
    probe = {"address": A, "reach": "answered", "words": "manifest unknown: manifest unknown"}
    assert outcome.data["probes"] == [probe]
    assert (outcome.data["verified"], outcome.data["diff"], outcome.data["dry_run"]) == (True, None, False)
    assert Path(outcome.data["backup"]).read_text() == BEFORE
    again = run("trust", A, "--json")
    assert (again.document["changed"], again.data["changed"], again.data["applied"]) == (False, False, "none")
    assert set(again.data) == set(outcome.data)
    assert docker.told == ["reload"]


def test_a_registry_that_does_not_answer_is_told(run: Run, docker: Docker) -> None:
    docker.fake.refusals["GET /distribution/"] = (500, "dial tcp: lookup registry.example: no such host")
    outcome = run("trust", A, "--json")
    assert (outcome.code, outcome.document["changed"], outcome.data["verified"]) == (0, True, True)
    assert outcome.data["probes"][0]["reach"] == "unreachable"
    assert "could not reach it to try" in outcome.err


def test_a_connection_that_the_engine_refuses_is_no_trust(run: Run, docker: Docker) -> None:
    docker.fake.refusals["GET /distribution/"] = (500, "http: server gave HTTP response to HTTPS client")
    outcome = run("trust", A, "--json")
    assert (outcome.code, outcome.document["ok"]) == (11, False)
    assert docker.file.read_text() == BEFORE
    assert docker.trusted == ["old:1"]


def test_the_change_is_shown_where_that_is_asked_for(run: Run, docker: Docker) -> None:
    outcome = run("trust", A, "--diff")
    assert outcome.code == 0
    assert f'+  "insecure-registries": ["old:1", "{A}"]' in outcome.err.splitlines()
    assert "+++" not in outcome.out
    outcome = run("untrust", A, "--diff", "--json")
    assert '+  "insecure-registries": ["old:1"]' in outcome.data["diff"].splitlines()
    assert "+++" not in outcome.err
    assert docker.file.read_text() == BEFORE


def test_several_at_once_and_each_once(run: Run, docker: Docker) -> None:
    outcome = run("trust", B, A, B, f"http://{A}", "old:1", "--json")
    assert outcome.code == 0
    assert outcome.data["addresses"][:2] == [B, A]
    assert docker.trusted == ["old:1", B, A]
    assert json.loads(docker.file.read_text())["insecure-registries"] == ["old:1", B, A]
    assert docker.told == ["reload"]
    assert run("untrust", A, A, B).code == 0
    assert docker.file.read_text() == BEFORE
    assert docker.told == ["reload", "reload"]


def test_one_address_that_means_nothing_stops_all(run: Run, docker: Docker) -> None:
    outcome = run("trust", A, "*.example")
    assert outcome.code == 2
    assert "wildcard" in outcome.err
    assert untouched(docker)


def test_without_an_address_it_is_the_default_registry(
    run: Run, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVREG_REGISTRY", A)
    assert run("trust", "--json").data["addresses"] == [A]
    assert docker.file.read_text() == AFTER


def test_docker_by_its_name(run: Run, docker: Docker) -> None:
    assert run("trust", A, "--engine", "docker").code == 0
    assert docker.file.read_text() == AFTER


def test_nobody_agrees_to_a_restart_without_a_terminal(run: Run, docker: Docker) -> None:
    docker.fake.hold("web")
    outcome = run("trust", A, "--restart", input="y\n")
    assert (outcome.code, outcome.out) == (2, "")
    assert "restarting the engine stops web (for good)" in outcome.err
    assert "--yes" in outcome.err
    assert untouched(docker)
    outcome = run("trust", A, "--restart", "--yes", "--json")
    assert (outcome.data["applied"], outcome.data["stopped"]) == ("restart", ["web"])
    assert docker.told == ["reload", "restart"]


# Somebody else's changes


def test_what_somebody_has_written_and_not_reloaded_takes_force(run: Run, docker: Docker) -> None:
    theirs = BEFORE.replace("true", "false")
    docker.file.write_text(theirs)
    os.utime(docker.file, (time.time() + 1, time.time() + 1))
    outcome = run("trust", A)
    assert (outcome.code, outcome.out) == (10, "")
    assert "--force" in outcome.err
    assert docker.file.read_text() == theirs
    assert run("trust", A, "--dry-run").code == 10
    assert run("trust", A, "--force").code == 0
    assert docker.file.read_text() == AFTER.replace("true", "false")


def test_undo_takes_away_what_devreg_added_and_nothing_else(run: Run, docker: Docker) -> None:
    assert run("trust", "--undo").out == "devreg has added nothing here; nothing was changed\n"
    assert run("trust", A, B).code == 0
    docker.file.write_text(docker.file.read_text().replace('"old:1"', '"old:1", "theirs:1"'))
    docker.read()
    time.sleep(0.02)
    docker.fake.reloads.append(time.time())
    shown = run("trust", "--undo", "--dry-run", "--json")
    assert (shown.data["addresses"], shown.data["dry_run"]) == ([A, B], True)
    outcome = run("trust", "--undo", "--json")
    assert (outcome.code, outcome.data["addresses"]) == (0, [A, B])
    assert json.loads(docker.file.read_text())["insecure-registries"] == ["old:1", "theirs:1"]
    assert docker.trusted == ["old:1", "theirs:1"]
    assert run("trust", "--undo", "--json").document["changed"] is False


# Words that do not go together


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--undo", A), "--undo takes no addresses"),
        ((A, "--ca", "ca.pem", "--dry-run"), "--ca goes with none of"),
        ((A, "--ca", "ca.pem", "--diff"), "--ca goes with none of"),
        ((A, "--ca", "ca.pem", "--restart"), "--ca goes with none of"),
        (("--ca", "ca.pem", "--undo"), "--ca goes with none of"),
        ((A, B, "--ca", "ca.pem"), "one registry at a time"),
        ((A, "--fingerprint", "ab" * 32), "go with --ca"),
        ((A, "--cert", "client.pem", "--key", "client.key"), "go with --ca"),
        ((A, "--key", "client.key"), "go with --ca"),
        ((A, "--ca", "ca.pem", "--cert", "client.pem"), "--key"),
        ((A, "--ca", "ca.pem", "--key", "client.key"), "--cert"),
        ((A, "--engine", "rkt"), "no kind of engine called 'rkt'"),
        ((A, "--engine", ""), "no kind of engine called ''"),
        ((A, "--engine"), "--engine"),
    ],
)
def test_words_that_do_not_go_together(
    run: Run, docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ca.pem", "client.pem", "client.key"):
        Path(name).write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    outcome = run("trust", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert fault in outcome.err
    assert "  next: " in outcome.err
    assert untouched(docker)


@pytest.mark.parametrize("option", ["--undo", "--ca=x", "--fingerprint=x", "--cert=x", "--key=x"])
def test_untrust_has_no_such_option(run: Run, docker: Docker, option: str) -> None:
    outcome = run("untrust", A, option)
    assert outcome.code == 2
    assert option.split("=")[0] in outcome.err
    assert untouched(docker)


# Drift


def rows(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def test_status_tells_of_no_drift(run: Run, docker: Docker) -> None:
    assert run("trust", A).code == 0
    assert docker.file.read_text() == AFTER
    assert run("status", "--json").data["drift"] == []
    shown = rows(run("status").out)
    assert ["trusts as insecure", f"old:1, {A}, 127.0.0.0/8"] in [[key, value] for key, value in shown]
    assert "drift" not in [key for key, _ in shown]


def test_status_tells_of_what_is_gone_from_the_file(run: Run, docker: Docker) -> None:
    assert run("trust", A, B).code == 0
    docker.file.write_text(BEFORE)
    kind = "was added by devreg and is gone from the file"
    assert [row for row in rows(run("status").out) if row[0] == "drift"] == [
        ["drift", f"{A} {kind}"],
        ["drift", f"{B} {kind}"],
    ]
    drift = run("status", "--json").data["drift"]
    assert drift == [{"address": A, "kind": kind}, {"address": B, "kind": kind}]


def test_status_tells_of_what_is_not_in_force(run: Run, docker: Docker) -> None:
    docker.file.write_text(AFTER)
    kind = "is in the file, and the engine does not go by it"
    assert ["drift", f"{A} {kind}"] in rows(run("status").out)
    assert run("status", "--json").data["drift"] == [{"address": A, "kind": kind}]
    assert run("status").code == 0
    assert run("trust", A, "--force").code == 0
    assert run("status", "--json").data["drift"] == []


def test_status_goes_on_with_a_file_that_is_broken(run: Run, docker: Docker) -> None:
    docker.file.write_text("{")
    outcome = run("status", "--json")
    assert (outcome.code, outcome.data["drift"]) == (0, [])
    assert outcome.data["registry"]["address"] == NOBODY
