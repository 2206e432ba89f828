"""`devreg login` and `devreg logout`: proven by a write, kept where Docker looks."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from tests.cli import registry
from tests.cli.conftest import Run, Serve
from tests.cli.registry import PASSWORD, USER
from tests.http.server import Answer, Asked, ScriptedServer, basic, error_answer


@pytest.fixture
def server(serve: Serve) -> ScriptedServer:
    return serve(registry.guarded)


@pytest.fixture
def config(home: Path) -> Path:
    return home / ".docker/config.json"


def test_a_login_is_proven_by_an_upload_that_is_cancelled(run: Run, server: ScriptedServer, config: Path) -> None:
    outcome = run("login", "-u", USER, "--password-stdin", input=f"{PASSWORD}\n")
    assert outcome.code == 0, outcome.err
    assert outcome.out == f"logged in to {server.host} as {USER}; kept in {config}\n"
    assert [asked.method for asked in server.asked if asked.authorization] == ["POST", "DELETE"]
    auths = json.loads(config.read_text())["auths"]
    assert base64.b64decode(auths[server.host]["auth"]).decode() == f"{USER}:{PASSWORD}"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("user", "repository"),
    [
        ("alice", "alice/devreg-login-probe"),
        ("Alice", "alice/devreg-login-probe"),
        ("alice@example.com", "devreg-login-probe"),
        ("robot$ci", "devreg-login-probe"),
    ],
)
def test_the_upload_is_where_the_user_may_write(run: Run, serve: Serve, user: str, repository: str) -> None:
    """As on Docker Hub, where that is below the user's name only."""

    def script(asked: Asked) -> Answer:
        if asked.authorization != basic(user, PASSWORD):
            return error_answer(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="r"')
        if asked.method == "DELETE":
            return Answer(204)
        if asked.path != f"/v2/{repository}/blobs/uploads/":
            return error_answer(403, "DENIED", "requested access to the resource is denied")
        return Answer(202, headers={"Location": f"/v2/{repository}/blobs/uploads/1"})

    serve(script)
    outcome = run("login", "-u", user, "--password-stdin", input=PASSWORD)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("line", [PASSWORD, f"{PASSWORD}\n", f"{PASSWORD}\r\n", f"{PASSWORD}\nsecond line\n"])
@pytest.mark.usefixtures("server")
def test_the_password_is_the_first_line(run: Run, line: str) -> None:
    assert run("login", "-u", USER, "--password-stdin", input=line).code == 0


@pytest.mark.usefixtures("server")
def test_a_password_that_is_no_text_is_refused(run: Run, config: Path) -> None:
    outcome = run("login", "-u", USER, "--password-stdin", input=b"\xff\xfe\n")
    assert outcome.code == 2
    assert "UTF-8" in outcome.err
    assert not config.exists()


def test_a_helper_that_does_not_work_is_warned_of(run: Run, server: ScriptedServer, config: Path) -> None:
    config.parent.mkdir()
    config.write_text('{"credsStore": "not-installed"}')
    outcome = run("login", "-u", USER, "--password-stdin", input=PASSWORD)
    assert outcome.out == f"logged in to {server.host} as {USER}; kept in {config}\n"
    assert "warning: the credential helper not-installed does not work" in outcome.err


def test_a_login_as_json(run: Run, server: ScriptedServer, config: Path) -> None:
    outcome = run("login", server.host, "-u", USER, "--password-stdin", "--json", input=PASSWORD)
    assert outcome.document["changed"] is True
    assert outcome.data == {"address": server.host, "username": USER, "stored": str(config)}


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.usefixtures("server")
def test_a_wrong_password_is_refused_and_not_kept(run: Run, config: Path, as_json: bool) -> None:
    words = ("login", "-u", USER, "--password-stdin", *(["--json"] if as_json else []))
    outcome = run(*words, input="wr0ng-pa55\n")
    assert outcome.code == 21
    assert not config.exists()
    assert "wr0ng" not in outcome.out + outcome.err


def test_other_entries_stay(run: Run, server: ScriptedServer, config: Path) -> None:
    config.parent.mkdir()
    config.write_text('{"auths": {"other:1": {"auth": "eDp5"}}, "psFormat": "table"}')
    assert run("login", "-u", USER, "--password-stdin", input=PASSWORD).code == 0
    kept = json.loads(config.read_text())
    assert kept["psFormat"] == "table"
    assert set(kept["auths"]) == {"other:1", server.host}


def test_logout(run: Run, server: ScriptedServer, config: Path) -> None:
    run("login", "-u", USER, "--password-stdin", input=PASSWORD)
    first = run("logout", "--json")
    assert (first.document["changed"], first.data) == (True, {"address": server.host})
    assert json.loads(config.read_text())["auths"] == {}
    again = run("logout")
    assert again.code == 0
    assert "no credentials were stored" in again.out


def test_a_registry_that_asks_nobody_is_warned_of(run: Run, serve: Serve) -> None:
    serve(
        lambda asked: Answer(202, b"", {"Location": "/v2/x/blobs/uploads/1"}) if asked.method == "POST" else Answer(204)
    )
    outcome = run("login", "-u", USER, "--password-stdin", input=PASSWORD)
    assert outcome.code == 0
    assert "warning: " in outcome.err
    assert "lets anybody write" in outcome.err
