"""Every exit code of the contract: one line that says what happened, one that says what to do, and no traceback."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from devreg.model.errors import DevregError
from tests.cli import registry
from tests.cli.conftest import NOBODY, Outcome, Run

Setup = Callable[[pytest.FixtureRequest], tuple[str, ...]]


def _broken_settings(request: pytest.FixtureRequest) -> tuple[str, ...]:
    file: Path = request.getfixturevalue("home") / "config/devreg/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("registry = ")
    return ("repos",)


def _broken_docker_config(request: pytest.FixtureRequest) -> tuple[str, ...]:
    request.getfixturevalue("serve")(registry.guarded)
    file: Path = request.getfixturevalue("home") / ".docker/config.json"
    file.parent.mkdir()
    file.write_text("{")
    return ("logout",)


def _no_engine(_request: pytest.FixtureRequest) -> tuple[str, ...]:
    return ("push", "app:1")


def _no_registry(_request: pytest.FixtureRequest) -> tuple[str, ...]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return ("repos", f"127.0.0.1:{probe.getsockname()[1]}")


def _no_user(request: pytest.FixtureRequest) -> tuple[str, ...]:
    server = request.getfixturevalue("serve")(registry.guarded)
    return ("tags", f"{server.host}/app")


def _no_repository(request: pytest.FixtureRequest) -> tuple[str, ...]:
    request.getfixturevalue("serve")(registry.answer)
    return ("tags", "nope")


def _no_image(request: pytest.FixtureRequest) -> tuple[str, ...]:
    request.getfixturevalue("fake")
    return ("push", "nope:1")


def _push_refused(request: pytest.FixtureRequest) -> tuple[str, ...]:
    request.getfixturevalue("serve")(registry.answer)
    fake = request.getfixturevalue("fake")
    fake.images["app:1"] = "sha256:1"
    fake.push_lines.append({"error": "blob upload unknown"})
    return ("push", "app:1")


def _foreign_container(request: pytest.FixtureRequest) -> tuple[str, ...]:
    fake = request.getfixturevalue("fake")
    fake.images |= {"registry:2": "sha256:1", "nginx:stable-alpine": "sha256:2"}
    fake.hold("devreg-registry", running=False)
    return ("registry", "up", "--listen", "127.0.0.1:59999")


def _no_server(request: pytest.FixtureRequest) -> tuple[str, ...]:
    request.getfixturevalue("fake")
    return ("registry", "user", "list")


SCENARIOS: dict[str, tuple[Setup, int, str, str]] = {
    "bad-address": (lambda _: ("repos", "Reg:5000"), 2, "usage", "Reg:5000"),
    "broken-config-toml": (_broken_settings, 10, "config-unusable", "config.toml"),
    "broken-docker-config": (_broken_docker_config, 10, "config-unusable", "config.json"),
    "no-engine": (_no_engine, 13, "engine-unreachable", "no engine answers"),
    "no-registry": (_no_registry, 20, "registry-unreachable", "refuses the connection"),
    "no-user": (_no_user, 21, "not-authorized", "authentication required"),
    "no-repository": (_no_repository, 22, "not-found", "repository name not known"),
    "no-local-image": (_no_image, 22, "not-found", "no local image nope:1"),
    "push-refused": (_push_refused, 23, "upload-failed", "blob upload unknown"),
    "foreign-container": (_foreign_container, 24, "refused-overwrite", "devreg-registry"),
    "no-server": (_no_server, 30, "registry-server", "not there"),
}


def told(outcome: Outcome) -> tuple[str, str]:
    """The two lines of a failure at the end of stderr."""
    *_, what, then = outcome.err.rstrip("\n").split("\n")
    assert "Traceback" not in outcome.err
    assert what.startswith("devreg: ")
    assert then.startswith("  next: ")
    return what.removeprefix("devreg: "), then.removeprefix("  next: ")


@pytest.mark.parametrize(("setup", "exit_code", "code", "words"), SCENARIOS.values(), ids=SCENARIOS)
def test_a_failure_is_told_in_two_lines_on_stderr(
    run: Run, request: pytest.FixtureRequest, setup: Setup, exit_code: int, code: str, words: str
) -> None:
    del code
    outcome = run(*setup(request))
    message, hint = told(outcome)
    assert outcome.code == exit_code
    assert outcome.out == ""
    assert words in message
    assert len(hint) > 5


@pytest.mark.parametrize(("setup", "exit_code", "code", "words"), SCENARIOS.values(), ids=SCENARIOS)
def test_a_failure_is_told_in_one_document_on_stdout(
    run: Run, request: pytest.FixtureRequest, setup: Setup, exit_code: int, code: str, words: str
) -> None:
    outcome = run(*setup(request), "--json")
    assert outcome.code == exit_code
    assert list(outcome.document) == ["schema", "command", "ok", "changed", "data", "errors"]
    assert (outcome.document["ok"], outcome.document["changed"], outcome.data) == (False, False, None)
    [error] = outcome.document["errors"]
    assert list(error) == ["code", "message", "hint"]
    assert error["code"] == code
    assert words in error["message"]
    assert "  next: " not in outcome.err


@pytest.mark.parametrize("kind", DevregError.__subclasses__(), ids=lambda kind: kind.code)
def test_every_kind_of_error_ends_with_its_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, kind: type[DevregError]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise kind("it broke", hint="mend it")

    monkeypatch.setattr("devreg.actions.catalog.repositories", fail)
    outcome = run("repos")
    assert outcome.code == kind.exit_code
    assert told(outcome) == ("it broke", "mend it")


def test_some_done_and_some_not_is_code_1(run: Run, request: pytest.FixtureRequest) -> None:
    fake = request.getfixturevalue("fake")
    fake.images["app:1"] = "sha256:1"
    outcome = run("push", "app:1", "nope:1")
    assert outcome.code == 1
    assert outcome.out.startswith(f"{NOBODY}/app@sha256:")
    assert outcome.err.count("  next: ") == 2
    assert "not all was pushed: nope:1 failed; up are" in outcome.err


@pytest.mark.parametrize("as_json", [False, True])
def test_a_bug_is_code_3_and_repeats_no_values(run: Run, monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("password is s3cret-pa55")

    monkeypatch.setattr("devreg.registry.client.Session.probe", fail)
    words = ("login", "127.0.0.1:1", "-u", "alice-the-user", "--password-stdin")
    outcome = run(*words, *(["--json"] if as_json else []), input="s3cret-pa55\n")
    assert outcome.code == 3
    written = outcome.out + outcome.err
    assert "s3cret" not in written
    assert "alice-the-user" not in written
    assert "Traceback" not in written
    assert "RuntimeError at " in written
    assert "client.py:" in written
    if as_json:
        assert outcome.document["errors"][0]["code"] == "bug"


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_is_code_130(run: Run, monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("devreg.actions.catalog.repositories", interrupt)
    outcome = run("repos", *(["--json"] if as_json else []))
    assert outcome.code == 130
    assert "Traceback" not in outcome.err
    if as_json:
        assert outcome.document["errors"][0]["code"] == "interrupted"
    else:
        assert told(outcome)[0] == "interrupted"


def test_a_signal_that_nohup_ignores_stays_ignored(run: Run) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run("--version")
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert callable(signal.getsignal(signal.SIGTERM))


def test_a_socket_that_may_not_be_opened_is_code_13_with_the_group(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("docker.transport.unixconn.UnixHTTPConnection.connect", refused)  # root may open every socket
    outcome = run("push", "app:1")
    assert outcome.code == 13
    assert "usermod -aG docker" in told(outcome)[1]


def test_a_user_without_a_name_can_still_run_a_registry(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container that runs as some number, nobody knows that number's name."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    outcome = run("quickstart", "--yes", "--runtime", "containers")
    assert outcome.code == 13, outcome.err


def test_the_document_of_a_failure_is_ascii_and_ends_with_a_newline(run: Run) -> None:
    outcome = run("repos", "Bücher", "--json")
    assert outcome.out.isascii()
    assert outcome.out.endswith("}\n")
    assert "Bücher" in json.loads(outcome.out)["errors"][0]["message"]
