"""A small service that checks passwords, as somebody's gateway to LDAP would: what `--external-auth` asks."""

import base64
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.live.lab.engine import Engine
from tests.live.lab.run import run


@dataclass
class PasswordService:
    """Where it is, who may push (to names that begin with `team/`), and what it was sent.

    `status`: what it answers to everybody instead, None for what is right.
    """

    url: str
    users: dict[str, str]
    status: int | None = None
    seen: list[dict[str, str]] = field(default_factory=list)

    def answer(self, headers: dict[str, str]) -> int:
        """The status for one request."""
        self.seen.append(headers)
        if self.status is not None:
            return self.status
        user, _, password = base64.b64decode(headers["authorization"].partition(" ")[2]).decode().partition(":")
        if self.users.get(user) != password:
            return 401
        repository = headers.get("x-registry-repository", "")
        return 204 if not repository or repository.startswith("team/") else 403


def host_of(engine: Engine) -> str:
    """The address by which the engine's containers reach this machine."""
    return run("ip", "-4", "-brief", "address", "show", "dev", engine.bridge).stdout.split()[2].partition("/")[0]


@contextmanager
def password_service(host: str, users: dict[str, str], pair: Path | None = None) -> Iterator[PasswordService]:
    """Run the service until the end of the block; over TLS with the PEM file `pair`, else over plain HTTP."""
    made: list[PasswordService] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = {name.lower(): value for name, value in self.headers.items()}
            status = made[0].answer({**sent, "path": self.path})
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="somebody else"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *words: object) -> None:
            del words

    with ThreadingHTTPServer((host, 0), Handler) as listener:
        if pair is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair)
            listener.socket = context.wrap_socket(listener.socket, server_side=True)
        scheme = "https" if pair else "http"
        made.append(PasswordService(f"{scheme}://{host}:{listener.server_port}/check/registry", users))
        thread = Thread(target=listener.serve_forever)
        thread.start()
        try:
            yield made[0]
        finally:
            listener.shutdown()
            thread.join()
