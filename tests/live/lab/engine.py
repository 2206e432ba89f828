"""One private Docker engine: where it listens, what it reads, how to stop and start it again."""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker

from tests.live.lab import firewall, processes
from tests.live.lab.run import need, search_path

START_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    """An engine whose files are all below `root`; `dockerd.dockerd` makes and removes one."""

    root: Path
    bridge: str
    binaries: Path | None

    @property
    def socket(self) -> Path:
        """The engine's unix socket."""
        return self.root / "docker.sock"

    @property
    def host(self) -> str:
        """The value of DOCKER_HOST that reaches it."""
        return f"unix://{self.socket}"

    @property
    def config_file(self) -> Path:
        """Its daemon.json."""
        return self.root / "daemon.json"

    @property
    def pid_file(self) -> Path:
        """Where dockerd writes its process id."""
        return self.root / "docker.pid"

    @property
    def log(self) -> Path:
        """What dockerd has printed since its first start."""
        return self.root / "log"

    @property
    def pid(self) -> int:
        """The id of the dockerd that runs now, also after somebody else has restarted it."""
        return int(self.pid_file.read_text())

    @property
    def command(self) -> list[str]:
        """The words that start this dockerd."""
        return [
            need("dockerd", "docker.io", self.binaries),
            f"--config-file={self.config_file}",
            f"--host={self.host}",
            f"--data-root={self.root / 'data'}",
            f"--exec-root={self.root / 'exec'}",
            f"--pidfile={self.pid_file}",
            f"--containerd={self.containerd_socket}",
            f"--bridge={self.bridge}",
        ]

    @property
    def containerd_socket(self) -> Path:
        """The unix socket of its own containerd."""
        return self.root / "containerd.sock"

    def env(self) -> dict[str, str]:
        """Return what makes a client (docker, devreg) use this engine and a private configuration folder."""
        return {"DOCKER_HOST": self.host, "DOCKER_CONFIG": str(self.root / "client")}

    def client(self) -> docker.DockerClient:
        """Return an SDK client of this engine; the caller closes it."""
        return docker.DockerClient(base_url=self.host, timeout=600)

    def start(self) -> None:
        """Start dockerd and wait until it answers; fail with the end of its log when it does not."""
        if not list(processes.naming(self.root, ("dockerd",))):
            # A killed one leaves the file, and the next believes it while the dead process is not reaped.
            self.pid_file.unlink(missing_ok=True)
        with firewall.others_kept():
            self.launch(self.command, self.answers, self.log)

    def stop(self) -> None:
        """Stop the dockerd that runs now, and its containers with it; its data and its containerd stay."""
        for pid in list(processes.naming(self.root, ("dockerd",))):
            processes.end(pid)

    def answers(self) -> bool:
        """Tell whether the engine answers a ping now."""
        # Not by the SDK: it leaks a socket when nobody answers yet.
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            try:
                line.connect(str(self.socket))
                line.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 " in line.recv(64)
            except OSError:
                return False

    def launch(self, command: list[str], ready: Callable[[], bool], log: Path) -> None:
        """Start one of the engine's daemons and wait until `ready` says yes, at most START_SECONDS."""
        environment = {**os.environ, "PATH": search_path(self.binaries)}
        pid = processes.spawn(command, env=environment, log=log)
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            gone = not processes.alive(pid)
            if gone or time.monotonic() > deadline:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
                raise AssertionError(f"{command[0]} {'ended' if gone else 'does not answer'}; its log ends:\n{tail}")
            time.sleep(0.1)
