"""What keeps a test away from this machine's own settings, credentials, engine and records."""

from __future__ import annotations

import gc
import os
import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.transport.unixconn import UnixHTTPConnection

from tests.unit.engine.fake import FakeEngine, listening

_PREFIXES = ("DEVREG_", "DOCKER_", "XDG_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def isolate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give the test a home of its own, without an engine; the new home's path."""
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name.upper() in _PROXIES:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for kind in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "site"))
    monkeypatch.setenv("DOCKER_CONFIG", str(home / ".docker"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine")
    monkeypatch.setattr("devreg.host.state.is_root", lambda: False)  # else records go to /var/lib/devreg
    monkeypatch.setattr(UnixHTTPConnection, "connect", _connect)
    return home


def _connect(connection: UnixHTTPConnection) -> None:
    """As the SDK connects, but a socket that leads nowhere is closed: the SDK leaves that to the garbage collector."""
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(connection.timeout)
    try:
        connection.sock.connect(connection.unix_socket)
    except OSError:
        connection.sock.close()
        raise


@contextmanager
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    """An engine at DOCKER_HOST, and no connection to it left open."""
    made: list[docker.DockerClient] = []
    from_env = docker.from_env

    def remembered(**options: Any) -> docker.DockerClient:
        made.append(from_env(**options))
        return made[-1]

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="de-", dir="/tmp")))  # paths are short
        engine = stack.enter_context(listening(folder / "s"))
        stack.callback(lambda: _close(made))
        monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/s")
        monkeypatch.setattr(docker, "from_env", remembered)
        yield engine
        if engine.streamed:
            _collect()


def _close(clients: list[docker.DockerClient]) -> None:
    for client in clients:
        client.close()


def _collect() -> None:
    """A stream that was left in the middle keeps its socket until the garbage is collected: here, not anywhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
