"""Whom devreg connects to for an address, and with whose credentials."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from devreg.actions import reach
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.tls import Connection
from tests.unit.isolation import isolate


@pytest.mark.parametrize(
    ("address", "host", "key"),
    [
        ("docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"),
        ("index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"),
        ("reg.example", "reg.example", "reg.example"),
    ],
)
def test_the_host_and_the_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, host: str, key: str
) -> None:
    isolate(monkeypatch, tmp_path)
    auths = {key: {"auth": base64.b64encode(b"alice:x").decode()}, "other.example": {"auth": "b3RoZXI6eA=="}}
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": auths}))
    asked: list[tuple[Connection, Credentials]] = []
    monkeypatch.setattr(reach, "connect", lambda way, *, credentials, **_: asked.append((way, credentials)))
    reach.open_registry(Address.parse(address), timeout=1)
    ((way, credentials),) = asked
    assert (str(way.address), credentials) == (host, Credentials("alice", "x"))


@pytest.mark.parametrize("address", ["127.0.0.1:5000", "reg.example"])
def test_the_hosts_that_the_user_trusts_with_passwords(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str
) -> None:
    isolate(monkeypatch, tmp_path)
    monkeypatch.setenv("DEVREG_TOKEN_HOSTS", "auth.example, https://gitlab.example:8443")
    found = reach.connection_to(Address.parse(address))
    assert found.token_hosts == ("auth.example", "gitlab.example:8443")
