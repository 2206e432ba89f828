"""A registry client against servers that this ring scripts."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.tls import Connection, Tls
from devreg.registry.client import Registry, connect
from tests.http.server import Answer, Asked, Open, Script, ScriptedServer, Serve, json_answer


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own proxies have no say here."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The back-off pauses, in seconds, which are noted instead of slept."""
    noted: list[float] = []
    monkeypatch.setattr("httpx_retries.retry.time.sleep", noted.append)
    return noted


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server by its script; `GET /v2/` is answered as a registry does unless `bare`."""
    with ExitStack() as servers:

        def start(script: Script | Answer, tls: ssl.SSLContext | None = None, *, bare: bool = False) -> ScriptedServer:
            return servers.enter_context(ScriptedServer(script if bare else _with_ping(script), tls))

        yield start


@pytest.fixture
def opened() -> Iterator[Open]:
    """Connect to a server; the registry is closed at the end of the test."""
    with ExitStack() as registries:

        def open_it(
            server: ScriptedServer,
            *,
            tls: Tls = Tls.PLAIN,
            credentials: Credentials | None = None,
            secrets_over_http: bool = True,
            timeout: float = 5.0,
            address: str = "",
            token_hosts: tuple[str, ...] = (),
        ) -> Registry:
            where = Address.parse(address or server.host)
            connection = Connection(where, tls, secrets_over_http, token_hosts=token_hosts)
            registry = connect(connection, credentials=credentials, timeout=timeout, user_agent="devreg/test")
            return registries.enter_context(registry)

        yield open_it


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that no machine knows."""
    return trustme.CA()


@pytest.fixture
def known_authority(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes this machine know it."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def _with_ping(script: Script | Answer) -> Script:
    def answer(asked: Asked) -> Answer:
        if asked.target == "/v2/":
            return json_answer({})
        return script(asked) if callable(script) else script

    return answer
