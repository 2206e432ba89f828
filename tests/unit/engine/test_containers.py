"""Our containers, through the real SDK, in an engine that runs nothing."""

from __future__ import annotations

import pytest

from devreg.engine import containers, networks
from devreg.engine.client import Engine, connect
from devreg.model.errors import NotFound, RefusedOverwrite, ServerError
from devreg.model.server import LABEL_DEFINITION, LABEL_ROLE, Container, Listen
from tests.unit.engine.fake import FakeEngine

NGINX = Container(
    role="nginx",
    name="devreg-nginx",
    image="nginx:stable-alpine",
    command=("nginx", "-g", "daemon off;"),
    mounts={"/run/devreg": "devreg_socket"},
    files={"/etc/devreg/nginx.conf": "events {}\n"},
    publish=Listen("127.0.0.1", 5000),
    inner_port=5000,
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
    assert host["Binds"] == ["devreg_socket:/run/devreg:rw"]
    assert host["RestartPolicy"] == {"Name": "unless-stopped"}
    assert held.config["Labels"] == {LABEL_ROLE: "nginx", LABEL_DEFINITION: NGINX.fingerprint}
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
        containers.create(engine, NGINX, "net")
    assert list(fake.containers) == [foreign.id]


def test_stop_and_remove(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    containers.start(engine, id)
    containers.stop(engine, id)
    assert not fake.containers[id].running
    containers.remove(engine, id)
    assert fake.containers == {}


def test_a_file_is_replaced_by_a_rename(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    containers.write(engine, id, "/etc/devreg/users/htpasswd", "alice:x\n", gid=101)
    assert containers.read(engine, id, "/etc/devreg/users/htpasswd") == "alice:x\n"
    assert "/etc/devreg/users/htpasswd.new" not in fake.containers[id].files
    [exec] = fake.requests("POST", "/containers/.*/exec")
    assert exec.json["Cmd"] == ["mv", "/etc/devreg/users/htpasswd.new", "/etc/devreg/users/htpasswd"]


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
    assert networks.ensure_network(engine, "devreg_registry") is True
    assert networks.ensure_network(engine, "devreg_registry") is False
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
    assert networks.ensure_volume(engine, "data") is True
    assert networks.ensure_volume(engine, "data") is False
    assert networks.has_volume(engine, "data")
    assert networks.remove_volume(engine, "data") is True
    assert networks.remove_volume(engine, "data") is False
    assert fake.volumes == {}


def test_an_older_definition_is_told_by_the_label(engine: Engine, fake: FakeEngine) -> None:
    id = containers.create(engine, NGINX, "net")
    fake.containers[id].config["Labels"][LABEL_DEFINITION] = "older"
    assert containers.find(engine)["nginx"].fingerprint == "older"
