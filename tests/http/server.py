"""A scripted registry on a real socket: it answers what a test tells it, and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

from devreg.registry.client import Registry

VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def authorization(self) -> str | None:
        return self.headers.get("authorization")

    @property
    def line(self) -> str:
        return f"{self.method} {self.target}"


@dataclass(frozen=True)
class Answer:
    """What to send back. `cut`: close the connection after so many bytes of the body; `raw`: these bytes, no HTTP."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    raw: bytes | None = None


Script = Callable[[Asked], Answer]


def json_answer(content: object, status: int = 200, **headers: str) -> Answer:
    """JSON, with headers whose names have underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json", **VERSION, **named})


def error_answer(status: int, code: str, message: str = "", **headers: str) -> Answer:
    return json_answer({"errors": [{"code": code, "message": message}]}, status, **headers)


def basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def server_context(authority: trustme.CA, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
    """TLS for a server, by default with a certificate for 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (certificate or authority.issue_cert("127.0.0.1")).configure_cert(context)
    return context


class ScriptedServer:
    """Answers by `script`, or always the same, on a port of its own of 127.0.0.1; over TLS with a context."""

    def __init__(self, script: Script | Answer, tls: ssl.SSLContext | None = None) -> None:
        self.script = script if callable(script) else lambda _: script
        self.asked: list[Asked] = []
        self._server = _Server(self, tls)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.scheme = "https" if tls else "http"
        self.port: int = self._server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{self.scheme}://{self.host}"

    @property
    def lines(self) -> list[str]:
        return [asked.line for asked in self.asked]

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


Serve = Callable[..., ScriptedServer]
Open = Callable[..., Registry]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: ScriptedServer, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner
        self.tls = tls

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls:  # here, in the connection's own thread, so that a failed handshake stops nobody else
            request = self.tls.wrap_socket(request, server_side=True)
        try:
            super().finish_request(request, client_address)
        finally:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up in the middle are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: two small ones wait for each other (Nagle)
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """The tests look at `asked` instead."""

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        self.server.owner.asked.append(asked)
        answer = self.server.owner.script(asked)
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.cut])
        self.close_connection = self.close_connection or answer.cut is not None

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _respond
