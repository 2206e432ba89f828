"""Small questions to the engine without its SDK, whose import takes longer than the answer.

A `trust` that has nothing to change asks only these. Whatever goes wrong here is left to the SDK to find and to tell.
"""

from __future__ import annotations

import json
import os
import socket
from http.client import HTTPConnection, HTTPException
from pathlib import Path

_SOCKET = "/var/run/docker.sock"
_SECONDS = 30


def endpoint() -> str | None:
    """The engine's endpoint where no client configuration can change it, such as `unix:///var/run/docker.sock`.

    None when a context or a DOCKER_HOST that is no unix socket decides: the SDK knows how.
    """
    host = os.environ.get("DOCKER_HOST", "")
    if host:
        return host if host.startswith("unix:///") else None
    if os.environ.get("DOCKER_CONTEXT") or _has_context():
        return None
    return f"unix://{_SOCKET}"


def get(host: str, path: str) -> dict[str, object] | None:
    """The JSON object at `path` of the engine at `host`, None when it cannot be had this way."""
    try:
        connection = _UnixConnection(host.removeprefix("unix://"))
        try:
            connection.request("GET", path, headers={"Host": "docker"})
            answer = connection.getresponse()
            content = json.loads(answer.read()) if answer.status == 200 else None
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _has_context() -> bool:
    folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    try:
        settings = json.loads((Path(folder) / "config.json").read_bytes())
    except FileNotFoundError:
        return False
    except (OSError, ValueError, RuntimeError):
        return True
    return not isinstance(settings, dict) or settings.get("currentContext", "default") != "default"


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
