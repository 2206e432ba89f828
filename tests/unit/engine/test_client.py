"""Finding the engine, and what it says of itself."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from devreg.engine.client import _info, connect
from devreg.model.address import Address
from devreg.model.engine import RunningContainer
from devreg.model.errors import EngineRefused, EngineUnreachable
from tests.unit.engine.fake import FakeEngine


def test_the_endpoint_is_named_with_its_socket(fake: FakeEngine) -> None:
    engine = connect()
    assert engine.host == os.environ["DOCKER_HOST"]
    assert engine.is_local
    assert engine.ping()
    fake.refusals["GET /_ping"] = (500, "no")
    assert not engine.ping()


def test_what_the_engine_says_of_itself(fake: FakeEngine) -> None:
    fake.info["RegistryConfig"] = {
        "IndexConfigs": {"docker.io": {"Secure": True}, "r:5000": {"Secure": False}, "a": {"Secure": False}},
        "InsecureRegistryCIDRs": ["127.0.0.0/8", "10.0.0.0/8"],
        "Mirrors": ["https://mirror/"],
    }
    info = connect().info()
    assert info.version == "28.5.2"
    assert info.storage_driver == "overlay2"
    assert info.insecure == ("a", "r:5000")
    assert info.insecure_cidrs == ("10.0.0.0/8", "127.0.0.0/8")
    assert info.mirrors == ("https://mirror/",)
    assert not any((info.rootless, info.podman, info.desktop, info.live_restore))


@pytest.mark.parametrize(
    ("info", "version", "flavour"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, {}, "rootless"),
        ({}, {"Components": [{"Name": "Podman Engine"}]}, "podman"),
        ({"OperatingSystem": "Docker Desktop"}, {}, "desktop"),
        ({"LiveRestoreEnabled": True}, {}, "live_restore"),
    ],
)
def test_flavours_are_recognised(info: dict[str, Any], version: dict[str, Any], flavour: str) -> None:
    said = _info(info, version)
    flags = ("rootless", "podman", "desktop", "live_restore")
    assert [flag for flag in flags if getattr(said, flag)] == [flavour]


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"RegistryConfig": None, "SecurityOptions": None},
        {"RegistryConfig": {"IndexConfigs": None, "InsecureRegistryCIDRs": None, "Mirrors": None}},
    ],
)
def test_what_the_engine_leaves_out_is_empty(info: dict[str, Any]) -> None:
    said = _info(info, {"Components": None})
    assert (said.version, said.insecure, said.insecure_cidrs, said.mirrors) == ("", (), (), ())
    assert not said.trusts(Address("r", 5000))


def test_running_containers_with_their_restart_policy(fake: FakeEngine) -> None:
    fake.hold("web", HostConfig={"RestartPolicy": {"Name": "always"}})
    fake.hold("job", HostConfig={"RestartPolicy": {"Name": ""}})
    fake.hold("old", running=False)
    found = connect().running()
    assert found == (RunningContainer("job", "no"), RunningContainer("web", "always"))
    assert [each.comes_back for each in found] == [False, True]


def test_what_the_engine_holds(fake: FakeEngine) -> None:
    fake.hold("old", running=False)
    fake.images["a:1"] = "sha256:1"
    fake.volumes["v"] = {}
    assert connect().contents() == {"container": 1, "image": 1, "volume": 1}


def test_no_socket() -> None:
    with pytest.raises(EngineUnreachable, match="no engine answers"):
        connect()


def test_a_socket_that_nobody_listens_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = Path(os.path.relpath(tmp_path)) / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/s")
    with pytest.raises(EngineUnreachable, match="no engine answers"):
        connect()


def test_a_socket_of_others_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refused)  # root may open every socket
    with pytest.raises(EngineUnreachable, match="may not be opened") as caught:
        connect()
    assert "usermod -aG docker" in caught.value.hint


@pytest.mark.parametrize(
    "host",
    [
        "tcp://nowhere.invalid:2375",
        "nonsense://x",
        "tcp://127.0.0.1:notaport",
    ],
)
def test_a_docker_host_that_leads_nowhere_is_named_in_the_next_step(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # no test asks a name server
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(EngineUnreachable) as caught:
        connect()
    assert "DOCKER_HOST" in caught.value.hint


def test_a_program_that_is_no_engine(fake: FakeEngine) -> None:
    fake.refusals["GET /version"] = (404, "page not found")
    with pytest.raises(EngineUnreachable):
        connect()


def test_an_engine_that_refuses_to_tell(fake: FakeEngine) -> None:
    engine = connect()
    fake.refusals["GET /info"] = (500, "plugin is broken")
    with pytest.raises(EngineRefused, match="plugin is broken"):
        engine.info()
