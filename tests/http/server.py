"""A scripted registry on a real socket: it answers what a test tells it, and remembers what it was asked."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

from devreg.registry.client import Registry

VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; not `whole` where the server did not read its body to the end."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True

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
    """What to send back. `cut`: close the connection after so many bytes of the body; `raw`: these bytes, no HTTP.

    `reset`: nothing, and the connection is reset. `drip`: `raw` is followed by these pieces, one every 20 ms.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    raw: bytes | None = None
    reset: bool = False
    drip: Sequence[bytes] = ()


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


class Blobs:
    """A script that keeps blobs: like distribution 3 it keeps each byte of a body that broke off, and looks at ranges.

    `location`: how it spells the path of an upload.
    """

    def __init__(self, location: Callable[[str], str] = str) -> None:
        self.blobs: dict[str, bytes] = {}
        self.uploads: dict[str, bytearray] = {}
        self.location = location
        self._names = iter(range(1_000_000))

    def __call__(self, asked: Asked) -> Answer:
        if asked.method == "HEAD":
            return Answer(200 if asked.path.rpartition("/")[2] in self.blobs else 404)
        if asked.method == "POST":
            name = str(next(self._names))
            self.uploads[name] = bytearray()
            return self._at(asked, name, 202)
        name = asked.path.rpartition("/")[2]
        if name not in self.uploads:
            return error_answer(404, "BLOB_UPLOAD_UNKNOWN")
        if asked.method == "DELETE":
            del self.uploads[name]
            return Answer(204)
        if asked.method == "GET":
            return self._at(asked, name, 204)
        told = re.match(r"(\d+)-", asked.headers.get("content-range", ""))
        if told and int(told[1]) != len(self.uploads[name]):
            return error_answer(416, "RANGE_INVALID")
        self.uploads[name] += asked.body
        if asked.method == "PATCH":
            return self._at(asked, name, 202)
        return self._commit(asked, name) if asked.whole else Answer(400)

    def _at(self, asked: Asked, name: str, status: int) -> Answer:
        size = len(self.uploads[name])
        repository = asked.path.partition("/blobs/")[0]
        where = self.location(f"{repository}/blobs/uploads/{name}?_state=a%2Bb~{size}")
        return Answer(status, headers={"Location": where, "Range": f"0-{max(size - 1, 0)}"})

    def _commit(self, asked: Asked, name: str) -> Answer:
        content, digest = bytes(self.uploads.pop(name)), asked.query["digest"][0]
        if digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
            return error_answer(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.blobs[digest] = content
        return Answer(201, headers={"Docker-Content-Digest": digest})


class ScriptedServer:
    """Answers by `script`, or always the same, on a port of 127.0.0.1, by default its own; over TLS with a context.

    `reads` tells how many bytes of a request's body to read, given its method; the rest stays on the way. None: all.
    `outwaited`: how many answers that drip were listened to until the end.
    """

    def __init__(self, script: Script | Answer, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.script = script if callable(script) else lambda _: script
        self.reads: Callable[[str], int | None] = lambda _: None
        self.asked: list[Asked] = []
        self.outwaited = 0
        self._server = _Server(self, tls, port)
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

    def __init__(self, owner: ScriptedServer, tls: ssl.SSLContext | None, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
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
        limit = self.server.owner.reads(self.command)
        body = b"".join(self._body(limit))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body, whole=limit is None)
        self.server.owner.asked.append(asked)
        answer = self.server.owner.script(asked)
        self.close_connection = self.close_connection or not asked.whole
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            self.close_connection = True
            if answer.drip:
                self._drip(answer.drip)
            return
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.cut])
        self.close_connection = self.close_connection or answer.cut is not None

    def _drip(self, pieces: Sequence[bytes]) -> None:
        """A client that hangs up ends it by an OSError."""
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            Event().wait(0.02)  # no time.sleep, which tests replace
        self.server.owner.outwaited += 1

    def _body(self, limit: int | None) -> Iterator[bytes]:
        """The body, or its first `limit` bytes."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                piece = self.rfile.read(size if limit is None else min(size, limit))
                yield piece
                if limit is not None and (limit := limit - len(piece)) == 0:
                    return
                self.rfile.readline()
            self.rfile.readline()
        else:
            size = int(self.headers.get("Content-Length") or 0)
            yield self.rfile.read(size if limit is None else min(size, limit))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = _respond
