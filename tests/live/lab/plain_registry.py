"""A registry as a plain process, and the usual nginx before it: both can be killed and started again in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.lab import processes
from tests.live.lab.run import need, run

START_SECONDS = 20
# "Private Docker Registry", as published, but for the port of the registry and the place of the passwords.
RECIPE = """
map $upstream_http_docker_distribution_api_version $docker_distribution_api_version {
  '' 'registry/2.0';
}
server {
  listen 127.0.0.1:@LISTEN@;
  location ^~ /v2/ {
    proxy_pass http://127.0.0.1:@REGISTRY@/v2/;
    proxy_set_header X-Nginx-Proxy true;
    @LIMIT@
    chunked_transfer_encoding on;
    if ($http_user_agent ~ "^(docker\\/1\\.(3|4|5(?!\\.[0-9]-dev))|Go ).*$" ) {
      return 404;
    }
    limit_except GET HEAD {
      auth_basic "Registry realm";
      auth_basic_user_file @FOLDER@/htpasswd;
    }
    add_header 'Docker-Distribution-Api-Version' $docker_distribution_api_version always;
    proxy_set_header  Host              $http_host;
    proxy_set_header  X-Real-IP         $remote_addr;
    proxy_set_header  X-Forwarded-For   $proxy_add_x_forwarded_for;
    proxy_set_header  X-Forwarded-Proto $scheme;
    proxy_read_timeout                  900;
  }
}
"""
UNLIMITED = "client_max_body_size 0;"


@dataclass
class Server:
    """A server on a port of 127.0.0.1; `command` starts it."""

    port: int
    command: list[str]
    log: Path
    pid: int = field(default=0)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return once it takes connections."""
        self.pid = processes.spawn(self.command, env=dict(os.environ), log=self.log)
        deadline = time.monotonic() + START_SECONDS
        while not _listens(self.port):
            assert time.monotonic() < deadline, f"it does not start: {self.log.read_text()[-2000:]}"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a crash does. Its workers go with it."""
        os.killpg(self.pid, signal.SIGKILL)
        while processes.alive(self.pid) or _listens(self.port):
            time.sleep(0.02)

    def end(self) -> None:
        """End it properly."""
        processes.end(self.pid)


@contextmanager
def plain_registry(folder: Path, cache: Path, *, deletes: bool = False) -> Iterator[Server]:
    """Run Debian's registry, unpacked into `cache` at the first call, with its content below `folder`.

    `deletes`: whether manifests may be deleted; the registry's own default is that they may not.
    """
    port, config = _free_port(), folder / "registry.yml"
    config.write_text(
        "{version: 0.1, log: {level: warn}, storage: {filesystem: {rootdirectory: " + str(folder / "data") + "},\n"
        f" delete: {{enabled: {str(deletes).lower()}}}}},\n"
        f" http: {{addr: '127.0.0.1:{port}', secret: lab}}}}\n"
    )
    server = Server(port, [str(_program(cache)), "serve", str(config)], folder / "registry.log")
    server.start()
    try:
        yield server
    finally:
        server.end()


@contextmanager
def recipe(registry: Server, folder: Path, credentials: tuple[str, str], limit: str = UNLIMITED) -> Iterator[Server]:
    """Run the recipe's nginx: open for reading, a user and a password for writing. `limit`: what it says of bodies."""
    port, config = _free_port(), folder / "nginx.conf"
    user, password = credentials
    entry = run(need("htpasswd", "apache2-utils"), "-niB", user, input=password).stdout
    (folder / "htpasswd").write_text(entry)
    values = {"LISTEN": port, "REGISTRY": registry.port, "FOLDER": folder, "LIMIT": limit}
    http = RECIPE
    for name, value in values.items():
        http = http.replace(f"@{name}@", str(value))
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/errors; user root; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/bodies; {http} }}\n"
    )
    server = Server(port, [need("nginx", "nginx"), "-c", str(config)], folder / "nginx.log")
    server.start()
    try:
        yield server
    finally:
        server.end()


def _program(cache: Path) -> Path:
    program = cache / "docker-registry"
    if not program.is_file():
        work = cache / "docker-registry.part"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        run("sh", "-c", 'cd "$0" && exec apt-get -q -o APT::Sandbox::User=root download docker-registry', work)
        (package,) = work.glob("*.deb")
        run("dpkg-deb", "-x", package, work)
        (work / "usr/bin/docker-registry").rename(program)
        shutil.rmtree(work)
    return program


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
