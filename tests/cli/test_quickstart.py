"""`devreg quickstart`, where an engine answers already: the tour, the second tour, and the way back."""

from __future__ import annotations

import base64
import getpass
import json
from pathlib import Path

import bcrypt
import pytest

from devreg.host import credentials
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.server.definition import DATA_VOLUME, USERS_FILE
from tests.cli import registry
from tests.cli.conftest import Run, Serve
from tests.http.server import Answer, Asked, ScriptedServer, basic, error_answer, json_answer
from tests.unit.engine.fake import DIGEST, FakeEngine


@pytest.fixture
def published(serve: Serve, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """A registry that knows the tour's image once the engine has pushed it, and the password once it was told."""
    fake.images |= {"registry:2": "sha256:1", "nginx:stable-alpine": "sha256:2"}
    monkeypatch.setattr("devreg.host.ports.holder", lambda _listen: None)  # the scripted registry itself

    def answer(asked: Asked) -> Answer:
        if asked.method not in ("GET", "HEAD") and not _known(fake, asked.authorization):
            return error_answer(401, "UNAUTHORIZED", WWW_Authenticate='Basic realm="r"')
        if asked.method == "POST":
            return Answer(202, b"", {"Location": "/v2/probe/blobs/uploads/1"})
        if asked.method == "DELETE":
            return Answer(202 if "/manifests/" in asked.path else 204)
        if asked.path.startswith("/v2/devreg-hello/") and not fake.requests("POST", "/push$"):
            return error_answer(404, "NAME_UNKNOWN", "repository name not known to registry")
        if asked.path == "/v2/devreg-hello/tags/list":
            return json_answer({"name": "devreg-hello", "tags": ["1"]})
        return registry.answer(asked)

    return serve(answer)


def _known(fake: FakeEngine, authorization: str | None) -> bool:
    """Whether nginx would let these credentials write."""
    nginx = fake.find("devreg-nginx")
    if nginx is None or authorization is None:
        return False
    name, _, password = base64.b64decode(authorization.removeprefix("Basic ")).partition(b":")
    lines = dict(line.split(b":", 1) for line in nginx.files.get(USERS_FILE, b"").splitlines())
    return name in lines and bcrypt.checkpw(password, lines[name])


def states(document: dict[str, object]) -> dict[str, str]:
    data = document["data"]
    assert isinstance(data, dict)
    return {step["name"]: step["state"] for step in data["steps"]}


def test_the_tour_and_a_second_one(run: Run, fake: FakeEngine, published: ScriptedServer, home: Path) -> None:
    words = ("quickstart", "--yes", "--json", "--listen", published.host)
    first = run(*words)
    assert first.code == 0, first.err
    assert first.document["changed"] is True
    assert states(first.document) == {
        "engine": "unchanged",
        "registry": "changed",
        "trust": "unchanged",
        "login": "changed",
        "push": "changed",
        "pull": "changed",
    }
    assert all(list(step) == ["name", "state", "detail"] for step in first.data["steps"])
    assert first.data["address"] == published.host
    assert first.data["user"] == getpass.getuser()
    assert [tag["name"] for tag in first.data["tags"]] == ["1"]
    password = first.data["password"]
    auth = json.loads((home / ".docker/config.json").read_text())["auths"][published.host]["auth"]
    assert f"Basic {auth}" == basic(getpass.getuser(), password)

    second = run("quickstart", "--yes", "--json")
    assert second.document["changed"] is False
    assert set(states(second.document).values()) == {"unchanged"}
    assert second.data["password"] is None
    assert len(fake.requests("POST", "/push$")) == 1


def test_the_pull_of_the_tour_is_anonymous(run: Run, fake: FakeEngine, published: ScriptedServer) -> None:
    run("quickstart", "--yes", "--listen", published.host)
    [push] = fake.requests("POST", "/push$")
    [pull] = [each for each in fake.requests("POST", "/images/create$") if "fromImage" in each.query]
    assert push.auth
    assert pull.auth == {}


def test_it_says_first_what_it_will_do(run: Run, published: ScriptedServer) -> None:
    outcome = run("quickstart", "--listen", published.host)
    assert outcome.code == 2
    assert outcome.out == ""
    assert f"run a registry at {published.host}" in outcome.err
    assert f"push it as {published.host}/devreg-hello:1" in outcome.err
    assert "--yes" in outcome.err


def test_without_an_answer_nothing_is_changed(run: Run, fake: FakeEngine, published: ScriptedServer) -> None:
    run("quickstart", "--listen", published.host)
    assert fake.containers == {}
    assert not [each for each in fake.asked if each.method != "GET"]


def test_undo_takes_away_what_was_made_and_nothing_else(
    run: Run, fake: FakeEngine, published: ScriptedServer, home: Path
) -> None:
    fake.hold("somebody-elses")
    before = dict(fake.images)
    assert run("quickstart", "--yes", "--listen", published.host).code == 0
    outcome = run("quickstart", "--undo", "--yes", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.document["changed"] is True
    assert [each.name for each in fake.containers.values()] == ["somebody-elses"]
    assert fake.volumes == {}
    assert fake.networks == {}
    assert fake.images == before
    assert json.loads((home / ".docker/config.json").read_text())["auths"] == {}
    again = run("quickstart", "--undo", "--yes", "--json")
    assert (again.code, again.document["changed"]) == (0, False)


def test_undo_says_first_what_it_takes_away(run: Run, fake: FakeEngine, published: ScriptedServer) -> None:
    assert run("quickstart", "--yes", "--listen", published.host).code == 0
    outcome = run("quickstart", "--undo")
    assert outcome.code == 2
    assert f"the login at {published.host}" in outcome.err
    assert "the registry with every image in it" in outcome.err
    assert len(fake.containers) == 2


def test_undo_of_nothing_asks_nobody(run: Run) -> None:
    outcome = run("quickstart", "--undo")
    assert outcome.code == 0
    assert "nothing" in outcome.out


def test_undo_leaves_a_registry_that_was_there_before(run: Run, fake: FakeEngine, published: ScriptedServer) -> None:
    words = ("registry", "up", "--listen", published.host, "--user", "alice", "--password-stdin")
    run(*words, input="pa55word\n")
    assert run("quickstart", "--yes").code == 0
    assert run("registry", "user", "list").out.split() == sorted(["alice", getpass.getuser()])
    assert run("quickstart", "--undo", "--yes").code == 0
    assert [asked.line for asked in published.asked if asked.method == "DELETE"][-1] == (
        f"DELETE /v2/devreg-hello/manifests/{DIGEST}"
    )
    assert len(fake.containers) == 2
    assert run("registry", "user", "list").out == "alice\n"


@pytest.mark.parametrize("anew", [False, True])
def test_undo_leaves_a_registry_that_was_made_anew(
    run: Run, fake: FakeEngine, published: ScriptedServer, anew: bool
) -> None:
    fake.images.clear()  # the tour pulls the server's images, so that they are on record too
    assert run("quickstart", "--yes", "--listen", published.host).code == 0
    if anew:
        run("registry", "down", "--volumes", "--yes")
        assert run("registry", "up", "--listen", published.host, "--user", "bob").code == 0
    outcome = run("quickstart", "--undo", "--yes", "--json")
    assert outcome.code == 0, outcome.out
    assert states(outcome.document)["registry"] == ("unchanged" if anew else "changed")
    assert len(fake.containers) == (2 if anew else 0)
    assert (DATA_VOLUME in fake.volumes) is anew
    assert (len(fake.images) == 2) is anew  # what runs keeps its images
    assert run("quickstart", "--undo", "--yes", "--json").document["changed"] is False


@pytest.mark.parametrize("stored", ["nothing", "an old password"])
def test_the_password_of_a_known_user_is_not_changed(
    run: Run, fake: FakeEngine, published: ScriptedServer, stored: str
) -> None:
    words = ("registry", "up", "--listen", published.host, "--user", getpass.getuser(), "--password-stdin")
    assert run(*words, input="pa55word\n").code == 0
    if stored != "nothing":
        credentials.store(Address.parse(published.host), Credentials(getpass.getuser(), "old"))
    nginx = fake.find("devreg-nginx")
    assert nginx
    before = dict(nginx.files)
    outcome = run("quickstart", "--yes")
    assert outcome.code == 21
    assert f"has a user {getpass.getuser()}" in outcome.err
    assert f"devreg login {published.host} -u {getpass.getuser()}" in outcome.err
    assert nginx.files == before
    assert fake.requests("POST", "/push$") == []


def test_a_pull_that_brings_another_digest_is_a_failure(run: Run, fake: FakeEngine, published: ScriptedServer) -> None:
    fake.pull_lines = [{"status": f"Digest: {DIGEST.replace('d', 'e', 5)}"}]
    outcome = run("quickstart", "--yes", "--listen", published.host)
    assert outcome.code == 30
    assert DIGEST in outcome.err


def test_elsewhere_no_engine_is_installed_for_an_ordinary_user(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setattr("devreg.actions.provision.is_root", lambda: False)
    monkeypatch.setattr("devreg.engine.short_way.endpoint", lambda: None)
    monkeypatch.setattr("docker.from_env", _nobody)
    outcome = run("quickstart", "--yes", "--runtime", "containers")
    assert outcome.code == 13
    plan = run("quickstart").err
    assert "install" not in plan
    assert ", as plain processes (" in plan


def _nobody(**_: object) -> None:
    raise FileNotFoundError
