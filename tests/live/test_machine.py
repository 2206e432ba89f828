"""A whole fresh Debian machine with systemd and nothing on it: the wheel of devreg does everything there."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.lab.engine import Engine
from tests.live.lab.installed import DEVREG, install
from tests.live.lab.machine import Machine, machine

ADDRESS = "registry.example:5000"
DAEMON_JSON = "/etc/docker/daemon.json"

pytestmark = pytest.mark.usefixtures("fresh")


@pytest.fixture(scope="module")
def fresh(engine: Engine, cache: Path, wheel: Path) -> Iterator[Machine]:
    """The machine, with devreg installed from its wheel by pip. The tests below go through its life in order."""
    with machine(engine, cache) as booted:
        install(booted, wheel)
        yield booted


@pytest.fixture(scope="module")
def packages_before(fresh: Machine) -> set[str]:
    """What is installed on the machine before devreg has done anything."""
    return installed(fresh)


@pytest.fixture(scope="module")
def toured(fresh: Machine, packages_before: set[str]) -> dict[str, Any]:
    """What the first quickstart said."""
    del packages_before
    return devreg(fresh, "quickstart", "--yes", "--json")


def devreg(fresh: Machine, *words: str, code: int = 0) -> dict[str, Any]:
    done = call(fresh, *words)
    assert done.returncode == code, f"devreg {' '.join(words)} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def call(fresh: Machine, *words: str) -> "subprocess.CompletedProcess[str]":
    return fresh.run(DEVREG, *words, check=False)


def installed(fresh: Machine) -> set[str]:
    return set(fresh.run("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}${Package}\n").stdout.split("\n"))


def main_pid(fresh: Machine) -> str:
    return fresh.run("systemctl", "show", "docker", "--property=MainPID", "--value").stdout.strip()


def test_the_machine_has_no_engine_and_devreg_says_what_helps(fresh: Machine, packages_before: set[str]) -> None:
    assert not any("docker" in name for name in packages_before)
    done = call(fresh, "push", "x")
    assert done.returncode == 13
    assert "quickstart" in done.stderr or "install" in done.stderr
    asked = call(fresh, "quickstart")
    assert asked.returncode == 2
    assert "install docker.io" in asked.stderr
    assert installed(fresh) == packages_before


def test_quickstart_installs_and_starts_everything(fresh: Machine, toured: dict[str, Any]) -> None:
    steps = {step["name"]: step for step in toured["data"]["steps"]}
    assert toured["changed"] is True
    assert steps["engine"]["state"] == "changed"
    assert fresh.run("systemctl", "is-active", "docker").stdout.strip() == "active"
    assert [tag["name"] for tag in toured["data"]["tags"]] == ["1"]
    assert fresh.run("docker", "pull", "127.0.0.1:5000/devreg-hello:1").returncode == 0
    words = ("login", "127.0.0.1:5000", "-u", toured["data"]["user"], "--password-stdin")
    fresh.run("docker", *words, input=toured["data"]["password"])


def test_a_second_run_changes_nothing(fresh: Machine, toured: dict[str, Any]) -> None:
    del toured
    pid = main_pid(fresh)
    second = devreg(fresh, "quickstart", "--yes", "--json")
    assert second["changed"] is False
    assert {step["state"] for step in second["data"]["steps"]} == {"unchanged"}
    assert main_pid(fresh) == pid


def test_status_sees_all_of_it(fresh: Machine, toured: dict[str, Any]) -> None:
    status = devreg(fresh, "status", "--json")
    assert status["ok"] is True
    assert status["data"]["registry"]["reachable"] is True
    assert status["data"]["registry"]["username"] == toured["data"]["user"]


def test_trust_reloads_by_systemd_where_no_file_was(fresh: Machine, toured: dict[str, Any]) -> None:
    del toured
    assert fresh.run("test", "-e", DAEMON_JSON, check=False).returncode == 1
    pid = main_pid(fresh)
    done = devreg(fresh, "trust", ADDRESS, "--json")
    assert (done["changed"], done["data"]["applied"], done["data"]["file"]) == (True, "reload", DAEMON_JSON)
    assert main_pid(fresh) == pid
    assert json.loads(fresh.run("cat", DAEMON_JSON).stdout) == {"insecure-registries": [ADDRESS]}
    assert f" {ADDRESS}\n" in fresh.run("docker", "info").stdout
    assert devreg(fresh, "trust", ADDRESS, "--json")["changed"] is False
    reloads = fresh.run("journalctl", "--unit=docker", "--no-pager").stdout
    assert "Reloaded docker.service" in reloads


def test_trust_restarts_by_systemd(fresh: Machine, toured: dict[str, Any]) -> None:
    del toured
    pid = main_pid(fresh)
    asked = call(fresh, "trust", "second.example:5000", "--restart")
    assert asked.returncode == 2
    assert "devreg-registry" in asked.stderr
    done = devreg(fresh, "trust", "second.example:5000", "--restart", "--yes", "--json")
    assert done["data"]["applied"] == "restart"
    assert set(done["data"]["stopped"]) == {"devreg-nginx", "devreg-registry"}
    assert main_pid(fresh) not in (pid, "0")
    assert " second.example:5000\n" in fresh.run("docker", "info").stdout
    devreg(fresh, "registry", "up", "--json")  # waits until it is back
    assert devreg(fresh, "repos", "--json")["data"]["repositories"] == [{"name": "devreg-hello"}]


def test_a_file_that_keeps_docker_from_starting_is_not_made_worse(fresh: Machine, toured: dict[str, Any]) -> None:
    del toured
    good = fresh.run("cat", DAEMON_JSON).stdout
    bad = '{"no-such-setting": true}\n'
    fresh.run("sh", "-c", f"printf '%s' '{bad}' > {DAEMON_JSON}")
    pid = main_pid(fresh)
    done = call(fresh, "trust", "third.example:5000", "--force", "--restart", "--yes")
    assert done.returncode == 11, done.stderr
    assert fresh.run("cat", DAEMON_JSON).stdout == bad
    assert main_pid(fresh) == pid
    fresh.run("sh", "-c", f"cat > {DAEMON_JSON}", input=good)
    fresh.run("systemctl", "reload", "docker")


def test_untrust_leaves_no_trace(fresh: Machine, toured: dict[str, Any]) -> None:
    del toured
    for address in (ADDRESS, "second.example:5000"):
        assert devreg(fresh, "untrust", address, "--json")["changed"] is True
    assert "example:5000" not in fresh.run("docker", "info").stdout


def test_undo_takes_everything_away_again(fresh: Machine, toured: dict[str, Any], packages_before: set[str]) -> None:
    del toured
    undone = devreg(fresh, "quickstart", "--undo", "--yes", "--json")
    assert undone["changed"] is True
    assert installed(fresh) - packages_before == set()
    assert packages_before - installed(fresh) == set()
    assert fresh.run("sh", "-c", "command -v dockerd", check=False).returncode != 0
    assert fresh.run("pgrep", "dockerd", check=False).returncode == 1
    assert devreg(fresh, "quickstart", "--undo", "--yes", "--json")["changed"] is False
