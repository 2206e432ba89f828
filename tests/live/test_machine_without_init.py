"""A bare Debian machine without systemd or any other init, as CI jobs are: the README's install command does it all."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.lab.engine import Engine
from tests.live.lab.machine import Machine, machine
from tests.live.lab.run import run

REPOSITORY = Path(__file__).parents[2]
CHECKOUT = "/root/devreg"


@pytest.fixture(scope="module")
def bare(engine: Engine, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The machine, with a checkout on it. The tests below go through its life in order."""
    checkout = tmp_path_factory.mktemp("checkout")
    copy = 'cd "$0" && git ls-files -co --exclude-standard -z | xargs -0 cp --parents -t "$1"'
    run("sh", "-c", copy, REPOSITORY, checkout)
    with machine(engine, cache, init=False) as started:
        started.put(checkout, CHECKOUT)
        yield started


def install_command() -> str:
    found = re.search(r"<!-- install -->\n```sh\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    assert found
    return found[1]


def test_the_readme_command_goes_from_nothing_to_a_pushed_image(bare: Machine) -> None:
    done = bare.run("bash", "-euo", "pipefail", "-c", f"cd {CHECKOUT} && {install_command()}")
    assert "started by a detached dockerd" in done.stdout or "started by its init script" in done.stdout
    assert re.search(r"^1 +sha256:[0-9a-f]{64} +\d+ +\S+Z +linux/\w+ +image", done.stdout, re.MULTILINE)
    assert "to stop it: " in done.stdout


def test_it_survives_a_restart_by_trust(bare: Machine) -> None:
    words = ("trust", "registry.example:5000", "--restart", "--yes", "--json")
    document = json.loads(bare.run("devreg", *words).stdout)
    assert (document["data"]["applied"], document["data"]["verified"]) == ("restart", True)
    bare.run("devreg", "registry", "up")  # waits until it is back
    again = json.loads(bare.run("devreg", "quickstart", "--json").stdout)
    assert again["changed"] is False


def test_undo_stops_the_engine_that_runs_now_and_removes_it(bare: Machine) -> None:
    undone = json.loads(bare.run("devreg", "quickstart", "--undo", "--yes", "--json").stdout)
    assert {"engine", "packages", "registry"} <= {step["name"] for step in undone["data"]["steps"]}
    assert bare.run("pgrep", "dockerd", check=False).returncode == 1
    assert bare.run("sh", "-c", "command -v dockerd", check=False).returncode != 0


def test_an_init_script_that_works_is_used_and_undone(bare: Machine) -> None:
    """Docker is installed and stopped. Limits are not to be set without more rights than a container has."""
    bare.run("apt-get", "install", "-y", "--no-install-recommends", "docker.io")
    bare.run("sed", "-i", "s/ulimit .*/:/", "/etc/init.d/docker")
    tour = json.loads(bare.run("devreg", "quickstart", "--yes", "--json").stdout)
    (engine,) = (step for step in tour["data"]["steps"] if step["name"] == "engine")
    assert "started by its init script; to stop it: service docker stop" in engine["detail"]
    words = ("trust", "second.example:5000", "--restart", "--yes", "--json")
    assert json.loads(bare.run("devreg", *words).stdout)["data"]["applied"] == "restart"
    bare.run("devreg", "registry", "up")  # waits until it is back
    undone = json.loads(bare.run("devreg", "quickstart", "--undo", "--yes", "--json").stdout)
    assert {"engine", "registry"} <= {step["name"] for step in undone["data"]["steps"]}
    assert bare.run("pgrep", "dockerd", check=False).returncode == 1
    assert bare.run("sh", "-c", "command -v dockerd").returncode == 0  # it was there before
