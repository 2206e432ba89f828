"""Rootless Docker, run by an ordinary user who is made for the tests: trusted without root, proven by a real pull."""

import json
import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import IMAGE
from tests.live.lab import processes
from tests.live.lab.devreg import Devreg, with_own_state
from tests.live.lab.front import Front
from tests.live.lab.run import need, run, search_path

SCRIPT = "dockerd-rootless.sh"
DEBIAN = "/usr/share/docker.io/contrib"  # here docker.io leaves the script
START_SECONDS = 60


@dataclass(frozen=True)
class Rootless:
    """An engine of the user `name`; all that it has is below `home`."""

    name: str
    home: Path

    @property
    def host(self) -> str:
        return f"unix://{self.home}/run/docker.sock"

    @property
    def config_file(self) -> Path:
        return self.home / ".config/docker/daemon.json"

    @property
    def pid(self) -> int:
        """The id of its dockerd."""
        return int((self.home / "run/docker.pid").read_text())

    @property
    def as_user(self) -> list[str]:
        """The words that run a program as the user, who may read everything: python may lie in root's home."""
        user = pwd.getpwnam(self.name)
        ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
        rights = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        return [need("setpriv", "util-linux"), *ids, *rights, "--"]

    @property
    def devreg(self) -> Devreg:
        """What the user calls; dockerd was started with other settings than these."""
        return Devreg(self.home / "devreg", self.host)

    def ok(self, *words: str) -> Any:
        """The result of a call of devreg by the user, which has to end well."""
        done = run(*self.devreg.command(*words, "--json", under=self.as_user))
        return json.loads(done.stdout)

    def fails(self, *words: str) -> tuple[int, str]:
        """The code of a call of devreg by the user, and what it said."""
        done = run(*self.devreg.command(*words, under=self.as_user), check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stderr

    def pull(self, address: str) -> str:
        """What docker complains of when the engine pulls the image; "" when it has it."""
        done = run(need("docker", "docker.io"), "--host", self.host, "pull", f"{address}/{IMAGE}", check=False)
        return done.stderr if done.returncode else ""

    def answers(self) -> bool:
        done = run("curl", "-sS", "--unix-socket", self.home / "run/docker.sock", "http://d/_ping", check=False)
        return done.stdout == "OK"


@pytest.fixture(scope="module")
def rootless() -> Iterator[Rootless]:
    """An engine whose user has a home, a folder for sockets and a network device, and leaves nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="dr-", dir="/tmp"))  # paths of sockets are short
    folder.chmod(0o755)
    engine = Rootless(f"devreg-{os.getpid()}", folder / "home")
    run(need("useradd", "passwd"), "--create-home", "--home-dir", engine.home, "--shell", "/bin/sh", engine.name)
    try:
        for made in (engine.home / "run", engine.home / "devreg"):
            made.mkdir(mode=0o700)
            shutil.chown(made, engine.name, engine.name)
        pid = processes.spawn(_start(engine, folder), env={}, log=folder / "log")
        try:
            _await(engine, pid, folder / "log")
            yield engine
        finally:
            processes.end(pid)
    finally:
        run(need("userdel", "passwd"), engine.name)
        shutil.rmtree(folder)


@pytest.mark.parametrize("before", [None, '{\n\t"log-level": "info"\n}\n'])
def test_a_pull_works_only_while_plain_http_is_trusted(
    registries: Front, rootless: Rootless, before: str | None
) -> None:
    address, pid = registries.plain, rootless.pid
    _settings(rootless, before)
    assert "server gave HTTP response to HTTPS client" in rootless.pull(address)
    done = rootless.ok("trust", address)
    assert done["changed"] is True
    assert done["data"]["flavour"] == "rootless"
    assert done["data"]["applied"] == "reload"
    assert done["data"]["verified"] is True
    assert done["data"]["file"] == str(rootless.config_file)
    assert rootless.config_file.owner() == rootless.name
    assert rootless.pull(address) == ""
    assert rootless.ok("trust", address)["changed"] is False
    assert rootless.ok("untrust", address)["data"]["applied"] == "reload"
    assert "server gave HTTP response to HTTPS client" in rootless.pull(address)
    assert rootless.config_file.read_text() == (before or "{}\n")
    assert rootless.pid == pid


def test_root_is_told_to_leave_it_to_the_user(rootless: Rootless, tmp_path: Path) -> None:
    _settings(rootless, None)
    done = with_own_state(Devreg(tmp_path, rootless.host)).fails(10, "trust", "reg.example:5000")
    assert f"run the command as {rootless.name}" in done.stderr
    assert not rootless.config_file.exists()


def test_without_a_unit_it_is_not_restarted(rootless: Rootless) -> None:
    _settings(rootless, None)
    pid = rootless.pid
    code, said = rootless.fails("trust", "reg.example:5000", "--restart", "--yes")
    assert code == 11
    assert "leave out --restart" in said
    assert not rootless.config_file.exists()
    assert rootless.pid == pid


def test_settings_that_it_does_not_take_are_put_back(rootless: Rootless) -> None:
    broken = '{\n  "no-such-setting": 1\n}\n'
    _settings(rootless, broken)
    code, said = rootless.fails("trust", "reg.example:5000", "--force")
    assert code == 11, said
    assert rootless.config_file.read_text() == broken
    assert rootless.answers()


def _settings(rootless: Rootless, text: str | None) -> None:
    file = rootless.config_file
    file.unlink(missing_ok=True)
    if text is not None:
        file.write_text(text)
        shutil.chown(file, rootless.name, rootless.name)
        os.utime(file, (0, 0))  # as if it had been there when dockerd started


def _start(engine: Rootless, folder: Path) -> list[str]:
    """The command that becomes rootlesskit. Not everywhere may users open the network device; in here they may."""
    (folder / "net").mkdir()
    tun = folder / "net/tun"
    os.mknod(tun, 0o020666, os.makedev(10, 200))
    tun.chmod(0o666)
    path = f"{DEBIAN}:{search_path()}"
    script = shutil.which(SCRIPT, path=path)
    assert script, f"the live tests need `{SCRIPT}`: apt-get install docker.io"
    environment = (f"HOME={engine.home}", f"XDG_RUNTIME_DIR={engine.home}/run", f"PATH={path}")
    mounted = f'[ -e /dev/net/tun ] && mount --bind {tun} /dev/net/tun; cd {engine.home}; exec "$@"'
    program = [*engine.as_user[:4], "--", "env", "-i", *environment, script]
    return [need("unshare", "util-linux"), "--mount", need("sh", "dash"), "-c", mounted, "sh", *program]


def _await(engine: Rootless, pid: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not engine.answers():
        words = log.read_text(errors="replace")[-3000:]
        assert processes.alive(pid), f"rootless Docker ended:\n{words}"
        assert time.monotonic() < deadline, f"rootless Docker does not answer:\n{words}"
        time.sleep(0.2)
