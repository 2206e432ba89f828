"""`devreg registry`, with an engine that runs nothing and a scripted registry where the server is published."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from devreg.server.definition import DATA_VOLUME, TLS_FILE, USERS_FILE, VOLUMES
from tests.cli import registry
from tests.cli.conftest import Run, Serve
from tests.http.server import ScriptedServer
from tests.unit.engine.fake import FakeEngine

PASSWORD = "first-pa55word"


@pytest.fixture
def published(serve: Serve, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """What answers at the port; the server's images are in the engine."""
    fake.images |= {"registry:2": "sha256:1", "nginx:stable-alpine": "sha256:2"}
    monkeypatch.setattr("devreg.host.ports.holder", lambda _listen: None)  # the scripted registry itself
    return serve(registry.answer)


@pytest.fixture
def up(run: Run, published: ScriptedServer) -> ScriptedServer:
    """The server is up, and alice may push."""
    words = ("registry", "up", "--listen", published.host, "--user", "alice", "--password-stdin")
    assert run(*words, input=f"{PASSWORD}\n").code == 0
    return published


def test_up_starts_two_containers_on_a_network_and_four_volumes(
    run: Run, fake: FakeEngine, published: ScriptedServer
) -> None:
    outcome = run("registry", "up", "--listen", published.host)
    assert outcome.code == 0, outcome.err
    assert {each.name: each.running for each in fake.containers.values()} == {
        "devreg-registry": True,
        "devreg-nginx": True,
    }
    assert set(fake.volumes) == set(VOLUMES)
    assert list(fake.networks) == ["devreg_registry"]
    assert f"the registry answers at {published.host}" in outcome.out
    assert "`devreg registry down`" in outcome.err


def test_the_first_password_is_generated_and_shown_once(run: Run, published: ScriptedServer, fake: FakeEngine) -> None:
    first = run("registry", "up", "--listen", published.host)
    shown = re.search(rf"user {getpass.getuser()}, password ([A-Za-z0-9]{{24}}) ", first.out)
    assert shown
    again = run("registry", "up")
    assert again.code == 0
    assert "nothing had to be changed" in again.out
    assert "password" not in again.out
    nginx = fake.find("devreg-nginx")
    assert nginx
    assert shown[1].encode() not in b"".join(nginx.files.values())


@pytest.mark.usefixtures("up")
def test_a_password_that_was_given_is_not_shown(run: Run) -> None:
    outcome = run("registry", "up", "--json")
    assert outcome.document["changed"] is False
    assert outcome.data["password"] is None
    assert outcome.data["users"] == ["alice"]


@pytest.mark.usefixtures("published")
def test_plain_http_for_others_has_to_be_asked_for(run: Run, fake: FakeEngine) -> None:
    refused = run("registry", "up", "--listen", "192.0.2.1:5000")
    assert refused.code == 2
    assert "--plain-http" in refused.err
    assert fake.containers == {}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--tls", "maybe"), 2),
        (("--tls", "/nowhere/cert,/nowhere/key"), 10),
        (("--domain", "https://a"), 2),
        (("--domain", "a.example"), 2),
        (("--external-auth-ca", "/nowhere"), 2),
        (("--external-auth", "ldap://a"), 2),
        (("--external-auth", "https://a", "--external-auth-ca", "/nowhere"), 10),
    ],
)
def test_what_the_server_cannot_be_told(
    run: Run, fake: FakeEngine, published: ScriptedServer, words: tuple[str, ...], code: int
) -> None:
    assert run("registry", "up", "--listen", published.host, *words).code == code
    assert fake.containers == {}


def test_a_certificate_of_its_own_is_kept_and_renewed(
    run: Run, fake: FakeEngine, published: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("registry", "up", "--listen", published.host, "--tls", "self-signed", "--domain", "registry.example.com")
    first = run(*words, "--json")
    port = published.host.rpartition(":")[2]
    assert first.code == 0, first.err
    assert (first.data["address"], first.data["tls"]) == (f"registry.example.com:{port}", "self-signed")
    assert Path(first.data["authority"]).read_text().startswith("-----BEGIN CERTIFICATE")
    assert run("registry", "up", "--json").document["changed"] is False
    assert fake.workers == 0
    monkeypatch.setattr("devreg.server.certificates.RENEW_BEFORE", timedelta(days=398))
    monkeypatch.setattr("devreg.server.certificates._LIFE", timedelta(days=500))
    renewed = run("registry", "up", "--json")
    assert (renewed.document["changed"], fake.workers) == (True, 1)
    assert renewed.data["certificate_ends"] > first.data["certificate_ends"]
    shown = run("registry", "status").out
    assert f"TLS\tself-signed, until {renewed.data['certificate_ends'][:10]}" in shown


def test_an_authority_that_ends_and_a_damaged_certificate_are_replaced(
    run: Run, fake: FakeEngine, published: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("devreg.server.certificates._AUTHORITY_LIFE", timedelta(days=30))
        first = run("registry", "up", "--listen", published.host, "--tls", "self-signed", "--json")
    authority = Path(first.data["authority"]).read_text()
    renewed = run("registry", "up")
    assert "a new authority is made" in renewed.err
    assert Path(first.data["authority"]).read_text() != authority
    nginx = fake.find("devreg-nginx")
    assert nginx
    nginx.files[TLS_FILE] = b"half of it"
    assert run("registry", "up", "--json").document["changed"] is True
    assert nginx.files[TLS_FILE].startswith(b"-----BEGIN PRIVATE KEY")


def test_up_as_json(run: Run, published: ScriptedServer) -> None:
    outcome = run("registry", "up", "--listen", published.host, "--user", "bob", "--json")
    assert outcome.document["changed"] is True
    assert outcome.data["address"] == published.host
    assert outcome.data["user"] == "bob"
    assert re.fullmatch(r"[A-Za-z0-9]{24}", outcome.data["password"])


def test_up_stays_where_it_is_published(run: Run, fake: FakeEngine, up: ScriptedServer) -> None:
    before = set(fake.containers)
    outcome = run("registry", "up", "--json")
    assert outcome.data["address"] == up.host
    assert set(fake.containers) == before


@pytest.mark.usefixtures("up")
def test_up_keeps_the_users_when_it_moves(run: Run, fake: FakeEngine, serve: Serve) -> None:
    nginx = fake.find("devreg-nginx")
    assert nginx
    users = nginx.files[USERS_FILE]
    other = serve(registry.answer)
    fake.seed["devreg-nginx"] = {USERS_FILE: users}  # on a real engine it is in a volume
    outcome = run("registry", "up", "--listen", other.host, "--json")
    assert outcome.document["changed"] is True
    assert outcome.data["address"] == other.host
    assert outcome.data["users"] == ["alice"]
    assert len(fake.containers) == 2


def test_status(run: Run, up: ScriptedServer) -> None:
    outcome = run("registry", "status", "--json")
    assert outcome.data == {
        "running": True,
        "healthy": True,
        "address": up.host,
        "images": {"nginx": "nginx:stable-alpine", "registry": "registry:2"},
        "users": ["alice"],
        "volume": DATA_VOLUME,
        "tls": "off",
        "certificate_ends": None,
        "external_auth": None,
        "runtime": "containers",
        "folder": None,
        "free": 9000,
        "used": 7168,
        "repositories": 2,
        "uploads": [{"repository": "app", "id": "id-1", "size": 500, "idle": 3}],
    }
    lines = dict(line.split("\t") for line in run("registry", "status").out.splitlines())
    assert lines["state"] == "healthy"
    assert lines["address"] == up.host
    assert lines["users"] == "alice"
    assert lines["disk"] == "7.2 kB used, 9.0 kB free"
    assert lines["repositories"] == "2"
    assert lines["uploads in flight"] == "1 (500 B; idle for up to 3 s)"


@pytest.mark.usefixtures("fake")
def test_status_of_nothing(run: Run) -> None:
    outcome = run("registry", "status", "--json")
    assert outcome.code == 0
    assert outcome.data == {
        "running": False,
        "healthy": False,
        "address": None,
        "images": {},
        "users": [],
        "volume": None,
        "tls": "off",
        "certificate_ends": None,
        "external_auth": None,
        "runtime": "containers",
        "folder": None,
        "free": None,
        "used": None,
        "repositories": None,
        "uploads": None,
    }


@pytest.mark.usefixtures("up")
def test_down_keeps_the_data(run: Run, fake: FakeEngine) -> None:
    outcome = run("registry", "down")
    assert outcome.code == 0
    assert "its data stays" in outcome.out
    assert fake.containers == {}
    assert fake.networks == {}
    assert DATA_VOLUME in fake.volumes
    assert run("registry", "down", "--json").document["changed"] is False


@pytest.mark.usefixtures("up")
def test_down_with_volumes_takes_everything(run: Run, fake: FakeEngine) -> None:
    assert run("registry", "down", "--volumes").code == 2
    assert len(fake.containers) == 2
    assert run("registry", "down", "--volumes", "--yes").code == 0
    assert fake.volumes == {}


@pytest.mark.usefixtures("published")
def test_volumes_of_others_stay(run: Run, fake: FakeEngine, published: ScriptedServer) -> None:
    fake.volumes[DATA_VOLUME] = {}
    assert run("registry", "up", "--listen", published.host).code == 0
    assert run("registry", "down", "--volumes", "--yes").code == 0
    assert fake.volumes == {DATA_VOLUME: {}}


@pytest.mark.usefixtures("up")
def test_users_are_added_changed_and_removed(run: Run) -> None:
    assert run("registry", "user", "list").out == "alice\n"
    added = run("registry", "user", "add", "bob", "--password-stdin", "--json", input="pa55\n")
    assert (added.document["changed"], added.data) == (True, {"user": "bob", "new": True})
    again = run("registry", "user", "add", "bob", "--password-stdin", input="other\n")
    assert again.out == "bob has a new password\n"
    assert run("registry", "user", "list", "--json").data == {"users": ["alice", "bob"], "push": {}}
    assert run("registry", "user", "remove", "bob").out == "removed bob\n"
    gone = run("registry", "user", "remove", "bob")
    assert gone.code == 22
    assert "devreg registry user list" in gone.err


@pytest.mark.usefixtures("up")
def test_where_users_may_push(run: Run) -> None:
    add = ("registry", "user", "add", "bob", "--password-stdin", "--push", "team/*", "--push", "app")
    assert run(*add, input="pa55\n").code == 0
    assert run("registry", "user", "list").out == "alice\nbob\tteam/* app\n"
    assert (
        run("registry", "user", "passwd", "bob", "--password-stdin", input="other\n").out == "bob has a new password\n"
    )
    assert run("registry", "user", "list", "--json").data["push"] == {"bob": ["team/*", "app"]}
    assert run("registry", "user", "rules", "bob", "b/*").out == "bob may push to b/*\n"
    assert run("registry", "user", "rules", "bob", "b/*", "--json").document["changed"] is False
    lifted = run("registry", "user", "rules", "bob", "--everywhere", "--json")
    assert (lifted.document["changed"], lifted.data) == (True, {"user": "bob", "push": None})
    assert run("registry", "user", "list").out == "alice\nbob\n"


@pytest.mark.parametrize("words", [(), ("a", "--everywhere"), ("Team/*",), ("a;b",)])
@pytest.mark.usefixtures("up")
def test_rules_that_say_nothing_are_refused(run: Run, words: tuple[str, ...]) -> None:
    assert run("registry", "user", "rules", "alice", *words).code == 2


@pytest.mark.usefixtures("up")
def test_passwords_of_users_who_are_not_there(run: Run) -> None:
    assert run("registry", "user", "passwd", "bob", "--password-stdin", input="pa55\n").code == 22
    assert run("registry", "user", "rules", "bob", "a").code == 22


@pytest.mark.usefixtures("up")
def test_a_password_from_a_file_that_is_nobody_elses(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("pa55\n")
    file.chmod(0o604)
    words = ("registry", "user", "add", "bob", "--password-file", str(file))
    refused = run(*words)
    assert (refused.code, "chmod 600" in refused.err) == (2, True)
    file.chmod(0o600)
    assert run(*words).out == "added bob\n"
    assert run(*words, "--password-stdin", input="x\n").code == 2
    file.write_text("\n")
    assert run(*words).code == 2
    assert run("registry", "user", "passwd", "bob", "--password-file", str(tmp_path / "none")).code == 2


@pytest.mark.parametrize(("name", "password"), [("a:b", "x"), ("", "x"), ("bob", ""), ("bob", "x" * 73)])
@pytest.mark.usefixtures("up")
def test_a_user_nobody_could_be_is_refused(run: Run, name: str, password: str) -> None:
    assert run("registry", "user", "add", name, "--password-stdin", input=f"{password}\n").code == 2
    assert run("registry", "user", "list").out == "alice\n"


def test_logs_go_to_stdout_as_they_are(run: Run, fake: FakeEngine, up: ScriptedServer) -> None:
    del up
    for each in fake.containers.values():
        each.log = each.name.encode() + b" said \xff\n"
    assert run("registry", "logs", "nginx").out == "devreg-nginx said \ufffd\n"
    assert run("registry", "logs").out == "devreg-registry said \ufffd\n"


@pytest.mark.usefixtures("fake")
def test_logs_of_nothing(run: Run) -> None:
    assert run("registry", "logs").code == 22


def test_a_busy_port_is_named_and_nothing_is_started(run: Run, fake: FakeEngine, published: ScriptedServer) -> None:
    fake.hold("web", HostConfig={"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": str(published.port)}]}})
    outcome = run("registry", "up", "--listen", published.host)
    assert outcome.code == 24
    assert "the container web" in outcome.err
    assert [each.name for each in fake.containers.values()] == ["web"]
    assert fake.volumes == {}


def test_a_container_that_does_not_start_leaves_none_behind(
    run: Run, fake: FakeEngine, published: ScriptedServer
) -> None:
    second = f"{1:012x}{'0' * 52}"
    fake.refusals[f"POST /containers/{second}/start"] = (500, "driver failed programming external connectivity")
    outcome = run("registry", "up", "--listen", published.host)
    assert outcome.code == 30
    assert "driver failed" in outcome.err
    assert fake.containers == {}


def test_a_container_that_cannot_be_filled_leaves_none_behind(
    run: Run, fake: FakeEngine, published: ScriptedServer
) -> None:
    fake.refusals["PUT /containers/"] = (500, "no space left on device")
    outcome = run("registry", "up", "--listen", published.host)
    assert outcome.code == 30
    assert fake.containers == {}


def test_a_password_that_cannot_be_is_refused_before_anything_is_started(
    run: Run, fake: FakeEngine, published: ScriptedServer
) -> None:
    outcome = run("registry", "up", "--listen", published.host, "--password-stdin", input="\n")
    assert outcome.code == 2
    assert fake.containers == {}


def test_a_name_that_cannot_be_is_refused_before_anything_is_started(
    run: Run, fake: FakeEngine, published: ScriptedServer
) -> None:
    outcome = run("registry", "up", "--listen", published.host, "--user", "a:b")
    assert outcome.code == 2
    assert fake.containers == {}


def _second_does_not_start(fake: FakeEngine, _monkeypatch: pytest.MonkeyPatch) -> None:
    fake.refusals[f"POST /containers/{3:012x}{'0' * 52}/start"] = (500, "driver failed")


def _first_cannot_be_filled(fake: FakeEngine, _monkeypatch: pytest.MonkeyPatch) -> None:
    fake.refusals[f"PUT /containers/{2:012x}{'0' * 52}/archive"] = (500, "no space left on device")


def _nobody_answers(_fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.actions.serving.serve._START_SECONDS", 0.01)
    monkeypatch.setattr("devreg.actions.serving.serve.answers", lambda _listen, _choices: False)


def _ctrl_c(_fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("devreg.actions.serving.serve.wait_until_it_answers", interrupted)


@pytest.mark.parametrize(
    ("fault", "code"),
    [(_second_does_not_start, 30), (_first_cannot_be_filled, 30), (_nobody_answers, 30), (_ctrl_c, 130)],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.usefixtures("up")
def test_the_old_server_comes_back_when_the_new_one_fails(
    run: Run,
    fake: FakeEngine,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[FakeEngine, pytest.MonkeyPatch], None],
    code: int,
) -> None:
    before = {id: (each.name, each.attrs, dict(each.files)) for id, each in fake.containers.items()}
    other = serve(registry.answer)
    fault(fake, monkeypatch)
    outcome = run("registry", "up", "--listen", other.host)
    assert outcome.code == code, outcome.err
    assert {id: (each.name, each.attrs, dict(each.files)) for id, each in fake.containers.items()} == before
    assert len(fake.requests("POST", "/rename$")) == 4  # two were aside, and came back


@pytest.mark.parametrize("holder", ["container", "program"])
def test_a_busy_port_leaves_the_running_server_alone(
    run: Run, fake: FakeEngine, up: ScriptedServer, serve: Serve, monkeypatch: pytest.MonkeyPatch, holder: str
) -> None:
    other = serve(registry.answer)
    if holder == "container":
        fake.hold("web", HostConfig={"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": str(other.port)}]}})
    else:
        monkeypatch.setattr("devreg.host.ports.holder", lambda _listen: "python (pid 7)")
    before = {id: each.attrs for id, each in fake.containers.items()}
    fake.asked.clear()
    outcome = run("registry", "up", "--listen", other.host)
    assert outcome.code == 24
    assert ("the container web" if holder == "container" else "python (pid 7)") in outcome.err
    assert {id: each.attrs for id, each in fake.containers.items()} == before
    assert {each.method for each in fake.asked} == {"GET"}
    assert run("registry", "status", "--json").data["address"] == up.host


@pytest.mark.usefixtures("up")
def test_its_own_port_is_not_busy(run: Run, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.host.ports.holder", lambda _listen: "docker-proxy (pid 7)")
    monkeypatch.setenv("DEVREG_REGISTRY_IMAGE", "registry:3")
    fake.images["registry:3"] = "sha256:3"
    outcome = run("registry", "up", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.document["changed"] is True
    assert outcome.data["images"]["registry"] == "registry:3"
    assert len(fake.containers) == 2


@pytest.mark.usefixtures("up")
def test_two_who_change_the_users_at_once_both_get_what_they_want(run: Run, fake: FakeEngine) -> None:
    fake.meanwhile.append(lambda held: held.files.update({USERS_FILE: held.files[USERS_FILE] + b"carol:x\n"}))
    assert run("registry", "user", "add", "bob", "--password-stdin", input="pa55\n").out == "added bob\n"
    assert run("registry", "user", "list").out.split() == ["alice", "bob", "carol"]


def test_an_engine_elsewhere_gets_no_server(
    run: Run, fake: FakeEngine, published: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devreg.engine.short_way.endpoint", lambda: None)
    monkeypatch.setattr("devreg.engine.client._endpoint", lambda _client: "ssh://build@far.example")
    outcome = run("registry", "up", "--listen", published.host)
    assert outcome.code == 30
    assert "ssh://build@far.example" in outcome.err
    assert fake.containers == {}
