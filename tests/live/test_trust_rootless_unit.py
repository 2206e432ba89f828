"""Rootless Docker under its user's systemd, on a whole machine: reloaded, restarted by its unit, never kept from
starting."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.live.lab.engine import Engine
from tests.live.lab.installed import install
from tests.live.lab.machine import Machine, machine

PACKAGES = ("docker.io", "rootlesskit", "uidmap", "slirp4netns", "iptables", "dbus-user-session", "libpam-systemd")
USER = "alice"
SETTINGS = f"/home/{USER}/.config/docker/daemon.json"
UNITS = f"/home/{USER}/.config/systemd/user"
START_SECONDS = 60
# As dockerd-rootless-setuptool.sh writes it, in short.
UNIT = r"""[Service]
Environment=PATH=/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/usr/share/docker.io/contrib/dockerd-rootless.sh
ExecReload=/bin/kill -s HUP $MAINPID
Restart=always
Delegate=yes
KillMode=mixed
"""
PREPARE = f"""
apt-get update --quiet
DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends {" ".join(PACKAGES)}
useradd --create-home {USER}
mkdir -p /dev/net && rm -f /dev/net/tun && mknod --mode=666 /dev/net/tun c 10 200
loginctl enable-linger {USER}
"""


@dataclass(frozen=True)
class Worker:
    """A machine, and what its user calls there, without the variables that a login would set."""

    machine: Machine

    def sh(self, script: str, *, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run a script as the user."""
        return self.machine.run("su", USER, "-c", script, check=check)

    def systemctl(self, *words: str) -> str:
        runtime = f"XDG_RUNTIME_DIR=/run/user/$(id -u {USER})"
        return self.sh(f"{runtime} systemctl --user {' '.join(words)}").stdout.strip()

    def devreg(self, *words: str) -> "subprocess.CompletedProcess[str]":
        host = f"DOCKER_HOST=unix:///run/user/$(id -u {USER})/docker.sock"
        return self.sh(f"{host} /opt/devreg/bin/devreg {' '.join(words)}", check=False)

    def ok(self, *words: str) -> Any:
        done = self.devreg(*words, "--json")
        assert done.returncode == 0, done
        return json.loads(done.stdout)["data"]

    def settings(self) -> str:
        return self.machine.run("cat", SETTINGS).stdout

    def pid(self) -> str:
        """The id of the user's dockerd."""
        return self.machine.run("pgrep", "--exact", "--euid", USER, "dockerd").stdout.strip()

    def await_engine(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.sh("docker -H unix:///run/user/$(id -u)/docker.sock version", check=False).returncode:
            assert time.monotonic() < deadline, self.systemctl("status", "docker", "||", "true")
            time.sleep(0.5)


@pytest.fixture(scope="module")
def worker(engine: Engine, cache: Path, wheel: Path) -> Iterator[Worker]:
    """The machine, with devreg installed and the user's engine running."""
    with machine(engine, cache) as booted:
        install(booted, wheel)
        booted.run("sh", "-ec", PREPARE)
        worker = Worker(booted)
        worker.sh(f"mkdir -p {UNITS} && cat > {UNITS}/docker.service <<'END'\n{UNIT}\nEND\n")
        booted.run("sh", "-ec", f"until [ -S /run/user/$(id -u {USER})/systemd/private ]; do sleep 0.2; done")
        worker.systemctl("daemon-reload")
        worker.systemctl("start", "docker")
        worker.await_engine()
        yield worker


def test_it_is_reloaded_and_restarted_by_its_unit(worker: Worker) -> None:
    pid = worker.pid()
    done = worker.ok("trust", "reg.example:5000")
    assert (done["flavour"], done["file"], done["applied"]) == ("rootless", SETTINGS, "reload")
    assert worker.pid() == pid
    done = worker.ok("trust", "other.example:5000", "--restart", "--yes")
    assert done["applied"] == "restart"
    assert worker.pid() != pid
    assert json.loads(worker.settings()) == {"insecure-registries": ["reg.example:5000", "other.example:5000"]}
    worker.ok("untrust", "reg.example:5000", "other.example:5000")
    assert json.loads(worker.settings()) == {}


def test_root_leaves_it_to_its_user(worker: Worker) -> None:
    script = f"DOCKER_HOST=unix:///run/user/$(id -u {USER})/docker.sock /opt/devreg/bin/devreg trust reg.example:5000"
    done = worker.machine.run("sh", "-c", script, check=False)
    assert done.returncode == 10
    assert f"run the command as {USER}, without sudo" in done.stderr


def test_a_flag_that_the_unit_gives_next_is_refused(worker: Worker) -> None:
    flag = "dockerd-rootless.sh --insecure-registry flag.example:5000"
    drop_in = f"[Service]\nExecStart=\nExecStart=/usr/share/docker.io/contrib/{flag}\n"
    worker.sh(f"mkdir -p {UNITS}/docker.service.d && printf '%s' '{drop_in}' > {UNITS}/docker.service.d/flag.conf")
    worker.systemctl("daemon-reload")
    before, pid = worker.settings(), worker.pid()
    done = worker.devreg("trust", "reg.example:5000")
    assert done.returncode == 10, done
    assert "at its next start dockerd gets --insecure-registry from docker.service" in done.stderr
    assert (worker.settings(), worker.pid()) == (before, pid)
