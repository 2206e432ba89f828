"""Our containers, through the real SDK, in an engine that runs nothing."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from devreg.engine import containers, networks
from devreg.engine.client import Engine, connect
from devreg.model.errors import NotFound, RefusedOverwrite, ServerError
from devreg.model.server import LABEL_CHOICES, LABEL_DEFINITION, LABEL_ROLE, Container, Listen
from tests.unit.engine.fake import SOMEBODY_WAS_FASTER, FakeEngine

NGINX = Container(
    role="nginx",
    name="devreg-nginx",
    image="nginx:stable-alpine",
    command=("nginx", "-g", "daemon off;"),
    mounts={"/run/devreg": "devreg_socket"},
    views={"/data": "devreg_registry"},
    files={"/etc/devreg/nginx.conf": "events {}\n"},
    publish=Listen("127.0.0.1", 5000),
    inner_port=5000,
    scratch=("/run",),
    capabilities=("CHOWN",),
    memory=2**30,
)


@pytest.fixture
def engine(fake: FakeEngine) -> Engine:
    fake.networks["net"] = {LABEL_ROLE: "network"}
    return connect()


def test_a_container_is_created_with_everything_of_its_definition(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    held = fake.containers[id]
    host = held.config["HostConfig"]
    assert held.name == "devreg-nginx"
    assert held.config["Entrypoint"] == ["nginx", "-g", "daemon off;"]
    assert host["PortBindings"] == {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5000"}]}
    assert host["Binds"] == ["devreg_socket:/run/devreg:rw", "devreg_registry:/data:ro"]
    assert host["RestartPolicy"] == {"Name": "unless-stopped"}
    assert host["ReadonlyRootfs"] is True
    assert [(each["Target"], each["Type"]) for each in host["Mounts"]] == [("/etc/devreg", "volume")]
    assert (host["CapDrop"], host["CapAdd"], host["PidsLimit"]) == (["ALL"], ["CHOWN"], 4096)
    assert set(host["Tmpfs"]) == {"/run"}
    assert (host["Memory"], host["MemorySwap"]) == (2**30, 2**30)
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert held.config["Labels"] == {
        LABEL_ROLE: "nginx",
        LABEL_DEFINITION: NGINX.fingerprint,
        LABEL_CHOICES: NGINX.choices,
    }
    assert held.files == {"/etc/devreg/nginx.conf": b"events {}\n"}
    assert not held.running


def test_what_was_created_is_found_by_its_role(engine: Engine) -> None:
    id = containers.create(engine, NGINX, "net")
    containers.start(engine, id)
    found = containers.find(engine)
    assert set(found) == {"nginx"}
    assert found["nginx"].running
    assert found["nginx"].listen == NGINX.publish
    assert found["nginx"].fingerprint == NGINX.fingerprint
    assert found["nginx"].image == NGINX.image


def test_containers_of_others_are_not_found(engine: Engine, fake: FakeEngine) -> None:
    fake.hold("devreg-nginx")
    assert containers.find(engine) == {}


def test_a_name_that_a_foreign_container_has_is_refused_and_it_stays(engine: Engine, fake: FakeEngine) -> None:
    foreign = fake.hold("devreg-nginx")
    with pytest.raises(RefusedOverwrite, match="devreg-nginx"):
        containers.refuse_foreign(engine, NGINX.name)
    with pytest.raises(ServerError, match="in use"):
        containers.create(engine, NGINX, "net")
    assert list(fake.containers) == [foreign.id]


def test_a_name_that_is_free_or_ours_is_not_refused(engine: Engine) -> None:
    containers.refuse_foreign(engine, NGINX.name)
    containers.create(engine, NGINX, "net")
    containers.refuse_foreign(engine, NGINX.name)


def test_what_cannot_be_filled_is_not_left_behind(engine: Engine, fake: FakeEngine) -> None:
    fake.refusals["PUT /containers/"] = (500, "no space left on device")
    with pytest.raises(ServerError, match="no space"):
        containers.create(engine, NGINX, "net")
    assert fake.containers == {}


def test_a_container_is_stopped_and_removed(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    containers.start(engine, id)
    containers.remove(engine, id)
    assert fake.containers == {}
    assert len(fake.requests("POST", f"/containers/{id}/stop")) == 1
    containers.remove(engine, id)  # one that is gone is fine


@pytest.mark.parametrize("running", [True, False])
def test_a_container_is_set_aside_and_brought_back(engine: Engine, fake: FakeEngine, running: bool) -> None:
    id = containers.create(engine, NGINX, "net")
    fake.containers[id].running = running
    before = containers.find(engine)["nginx"]
    containers.set_aside(engine, before)
    assert not fake.containers[id].running
    assert fake.find(NGINX.name) is None
    assert containers.find(engine) == {}  # what is set aside does not count
    containers.bring_back(engine, before)
    assert containers.find(engine)["nginx"] == before


def test_bringing_back_what_was_never_set_aside_starts_it(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    fake.containers[id].running = True
    before = containers.find(engine)["nginx"]
    fake.containers[id].running = False  # the run was interrupted between stop and rename
    containers.bring_back(engine, before)
    assert containers.find(engine)["nginx"] == before


def test_what_an_interrupted_run_has_set_aside_is_removed(engine: Engine, fake: FakeEngine) -> None:
    containers.create(engine, NGINX, "net")
    containers.set_aside(engine, containers.find(engine)["nginx"])
    kept = containers.create(engine, NGINX, "net")
    foreign = fake.hold("somebody-elses-replaced")
    assert containers.remove_leftovers(engine) is True
    assert set(fake.containers) == {kept, foreign.id}
    assert containers.remove_leftovers(engine) is False


USERS = "/etc/devreg/users/htpasswd"


@pytest.mark.parametrize(("kept", "before"), [(b"bob:y\n", "bob:y\n"), (None, "")], ids=["there", "not-there"])
def test_a_file_is_replaced_if_it_is_as_it_was(
    engine: Engine, fake: FakeEngine, kept: bytes | None, before: str
) -> None:
    id = containers.create(engine, NGINX, "net")
    if kept is not None:
        fake.containers[id].files[USERS] = kept
    assert containers.replace(engine, id, USERS, before, "alice:x\n", gid=101) is True
    assert containers.read(engine, id, USERS) == "alice:x\n"
    assert [path for path in fake.containers[id].files if path.startswith(f"{USERS}.")] == []
    [exec] = fake.requests("POST", "/containers/.*/exec")
    assert exec.json["Cmd"][4] == USERS
    put = fake.requests("PUT", "/archive$")[-1]
    with tarfile.open(fileobj=io.BytesIO(put.body)) as archive:
        assert {(member.mode, member.gid) for member in archive} == {(0o640, 101)}


def test_a_file_that_somebody_else_has_changed_stays(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    fake.containers[id].files[USERS] = b"bob:y\n"
    assert containers.replace(engine, id, USERS, "", "alice:x\n", gid=101) is False
    assert containers.read(engine, id, USERS) == "bob:y\n"


def test_a_file_that_cannot_be_replaced_is_a_failure_of_the_server(
    engine: Engine, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = containers.create(engine, NGINX, "net")
    monkeypatch.setattr(fake, "exit_code", lambda _id: 1)
    with pytest.raises(ServerError, match=USERS):
        containers.replace(engine, id, USERS, "", "alice:x\n", gid=101)


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[], int]:
    """Run the script of `replace` as the container's shell does; nothing in it sleeps."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sleep").symlink_to("/bin/true")
    (tmp_path / "users.t.new").write_text("new")

    def run() -> int:
        words = ["sh", "-c", containers._SWAP, "sh", "users", "users.t"]
        environment = {"PATH": f"{programs}:/usr/bin:/bin"}
        return subprocess.run(words, cwd=tmp_path, env=environment, timeout=20).returncode

    return run


@pytest.mark.parametrize(
    ("now", "before", "code", "after"),
    [("old", "old", 0, "new"), (None, "", 0, "new"), ("other", "old", SOMEBODY_WAS_FASTER, "other")],
)
def test_the_script_compares_and_swaps(
    shell: Callable[[], int], tmp_path: Path, now: str | None, before: str, code: int, after: str
) -> None:
    if now is not None:
        (tmp_path / "users").write_text(now)
    (tmp_path / "users.t.old").write_text(before)
    assert shell() == code
    assert (tmp_path / "users").read_text() == after
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "users"}


def test_a_lock_that_was_left_behind_is_broken(shell: Callable[[], int], tmp_path: Path) -> None:
    (tmp_path / "users.lock").mkdir()
    (tmp_path / "users.t.old").touch()
    assert shell() == 0
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "users"}


def test_a_file_that_is_not_there_reads_as_none(engine: Engine) -> None:
    assert containers.read(engine, containers.create(engine, NGINX, "net"), "/nowhere") is None


def test_an_engine_that_does_not_start_a_container_is_quoted(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    fake.refusals[f"POST /containers/{id}/start"] = (500, "driver failed programming external connectivity")
    with pytest.raises(ServerError, match="driver failed"):
        containers.start(engine, id)


def test_an_image_that_went_away_before_the_start_is_a_failure_of_the_server(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    fake.refusals[f"POST /containers/{id}/start"] = (404, "exec: nginx: not found")
    with pytest.raises(ServerError, match="exec: nginx: not found"):
        containers.start(engine, id)


def test_logs(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    fake.containers[id].log = b"hello\n"
    assert b"".join(containers.logs(engine, id, tail=None, follow=False)) == b"hello\n"
    assert b"".join(containers.logs(engine, id, tail=3, follow=False)) == b"hello\n"
    assert [each.query["tail"] for each in fake.requests("GET", "/logs$")] == ["all", "3"]


def test_logs_of_nothing(engine: Engine) -> None:
    with pytest.raises(NotFound):
        list(containers.logs(engine, "gone", tail=None, follow=False))


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ({"HostIp": "", "HostPort": "5000"}, "web"),
        ({"HostIp": "127.0.0.1", "HostPort": "5000"}, "web"),
        ({"HostIp": "127.0.0.1", "HostPort": "5001"}, None),
        ({"HostIp": "", "HostPort": ""}, None),
    ],
)
def test_who_is_published_on_a_port(
    engine: Engine, fake: FakeEngine, binding: dict[str, str], expected: str | None
) -> None:
    fake.hold("quiet", HostConfig={"PortBindings": None})
    fake.hold("web", HostConfig={"PortBindings": {"80/tcp": [binding], "81/tcp": None}})
    assert containers.publisher(engine, Listen("127.0.0.1", 5000)) == expected


def test_a_stopped_container_holds_no_port(engine: Engine, fake: FakeEngine) -> None:
    bindings = {"80/tcp": [{"HostIp": "", "HostPort": "5000"}]}
    fake.hold("web", running=False, HostConfig={"PortBindings": bindings})
    assert containers.publisher(engine, Listen("127.0.0.1", 5000)) is None


def test_a_network_is_made_once(engine: Engine, fake: FakeEngine) -> None:
    fake.networks["devreg_registry_other"] = {}  # the engine filters names by substring
    made = networks.ensure_network(engine, "devreg_registry")
    assert networks.ensure_network(engine, "devreg_registry") == made
    assert len(fake.requests("POST", "/networks/create")) == 1
    assert fake.networks["devreg_registry"] == {LABEL_ROLE: "network"}
    assert networks.remove_network(engine, "devreg_registry") is True
    assert networks.remove_network(engine, "devreg_registry") is False


def test_a_foreign_network_is_refused_and_stays(engine: Engine, fake: FakeEngine) -> None:
    fake.networks["devreg_registry"] = {}
    with pytest.raises(RefusedOverwrite):
        networks.ensure_network(engine, "devreg_registry")
    assert networks.remove_network(engine, "devreg_registry") is False
    assert "devreg_registry" in fake.networks


def test_a_volume_is_made_once(engine: Engine, fake: FakeEngine) -> None:
    assert not networks.has_volume(engine, "data")
    assert networks.volume_id(engine, "data") is None
    networks.ensure_volume(engine, "data")
    networks.ensure_volume(engine, "data")
    assert len(fake.requests("POST", "/volumes/create")) == 1
    assert fake.volumes["data"][LABEL_ROLE] == "volume"
    first = networks.volume_id(engine, "data")
    assert first
    assert networks.remove_volume(engine, "data") is True
    assert networks.remove_volume(engine, "data") is False
    assert fake.volumes == {}
    networks.ensure_volume(engine, "data")
    assert networks.volume_id(engine, "data") not in (None, first)  # another one of the same name


def test_a_foreign_volume_is_used_as_it_is_and_stays(engine: Engine, fake: FakeEngine) -> None:
    fake.volumes["data"] = {}
    networks.ensure_volume(engine, "data")
    assert networks.has_volume(engine, "data")
    assert networks.volume_id(engine, "data") is None
    assert networks.remove_volume(engine, "data") is False
    assert fake.volumes == {"data": {}}


def test_an_older_definition_is_told_by_the_label(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    fake.containers[id].config["Labels"][LABEL_DEFINITION] = "older"
    assert containers.find(engine)["nginx"].fingerprint == "older"
