"""CI workers: Debian machines with systemd and their own Docker, which `devreg trust` and `bootstrap` set up."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.live.conftest import PASSWORD, USER, Server, client
from tests.live.lab.engine import Engine
from tests.live.lab.front import Front
from tests.live.lab.images import busybox_archive, multi_layer_image
from tests.live.lab.installed import DEVREG, install
from tests.live.lab.machine import Machine, keep, machine
from tests.live.test_machine import DAEMON_JSON

X = "registry.invalid:5000"
DROP_IN = "/etc/systemd/system/docker.service.d/flags.conf"


@pytest.fixture(scope="module")
def image(engine: Engine, cache: Path, wheel: Path) -> str:
    """The image of a machine with Docker from Debian's packages, and with devreg from its wheel."""
    with machine(engine, cache) as first:
        install(first, wheel)
        first.run("apt-get", "update", "-qq")
        first.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "docker.io")
        first.run("systemctl", "stop", "docker", "docker.socket")
        first.run("rm", "-f", DAEMON_JSON)
        return keep(first, "lab-worker")


@pytest.fixture(scope="module")
def machines(engine: Engine, cache: Path, image: str) -> Iterator[list[Machine]]:
    """Three workers whose Docker runs."""
    with ExitStack() as stack:
        booted = [stack.enter_context(machine(engine, cache, image=image)) for _ in range(3)]
        for each in booted:
            each.run("systemctl", "start", "docker")
        yield booted


@pytest.fixture
def worker(machines: list[Machine]) -> Iterator[Machine]:
    """One of them, with an ordinary daemon.json that Docker has read; left with none, and with Docker running."""
    first = machines[0]
    write(first, '{"log-level": "info"}\n')
    yield first
    first.run("sh", "-c", f"rm -rf {DAEMON_JSON} /etc/systemd/system/docker.service.d /var/lib/devreg")
    first.run("systemctl", "daemon-reload")
    first.run("systemctl", "reset-failed", "docker.service", "docker.socket", check=False)
    first.run("systemctl", "restart", "docker")


def write(worker: Machine, text: str, *, restart: bool = True) -> None:
    worker.run("sh", "-c", f"mkdir -p /etc/docker && cat > {DAEMON_JSON}", input=text)
    if restart:
        worker.run("systemctl", "reset-failed", "docker.service", "docker.socket", check=False)
        worker.run("systemctl", "restart", "docker")


def call(worker: Machine, *words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return worker.run(DEVREG, *words, check=False, **options)


def devreg(worker: Machine, *words: str, code: int = 0) -> dict[str, Any]:
    done = call(worker, *words, "--json")
    assert done.returncode == code, f"devreg {' '.join(words)} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def text(worker: Machine) -> str:
    return worker.run("cat", DAEMON_JSON).stdout


def pid(worker: Machine) -> str:
    return worker.run("systemctl", "show", "docker", "--property=MainPID", "--value").stdout.strip()


def active(worker: Machine) -> bool:
    return worker.run("systemctl", "is-active", "docker", check=False).stdout.strip() == "active"


def live(worker: Machine) -> list[str]:
    info = json.loads(worker.run("docker", "info", "--format", "{{json .RegistryConfig.IndexConfigs}}").stdout)
    return sorted(name for name, index in info.items() if not index["Secure"])


def start_container(worker: Machine, name: str, *options: str, tmp: Path) -> None:
    """A container that runs until it is stopped."""
    if worker.run("docker", "image", "inspect", "lab-busybox:1", check=False).returncode:
        with client(worker.engine) as sdk:
            busybox_archive(sdk, tmp / "busybox.tar")
        worker.put(tmp / "busybox.tar", "/opt/busybox.tar")
        worker.run("docker", "load", "--quiet", "--input", "/opt/busybox.tar")
    worker.run("docker", "run", "-d", "--init", "--name", name, *options, "lab-busybox:1", "sleep", "600")


def state(worker: Machine, name: str) -> str:
    return worker.run("docker", "inspect", "--format", "{{.State.Running}} {{.State.Pid}}", name).stdout.strip()


def test_a_reload_keeps_docker_and_a_running_container(worker: Machine, tmp_path: Path) -> None:
    start_container(worker, "bystander", tmp=tmp_path)
    try:
        before = (pid(worker), state(worker, "bystander"))
        done = devreg(worker, "trust", X)
        assert (done["changed"], done["data"]["applied"], done["data"]["verified"]) == (True, "reload", True)
        assert done["data"]["probes"][0]["reach"] == "unreachable"
        assert live(worker) == [X]
        assert devreg(worker, "untrust", X)["changed"]
        assert live(worker) == []
        assert text(worker) == '{"log-level": "info"}\n'
        assert (pid(worker), state(worker, "bystander")) == before
    finally:
        worker.run("docker", "rm", "-f", "bystander")


def test_a_real_pull_works_afterwards_and_that_is_proven(worker: Machine, server: Server, registries: Front) -> None:
    with client(server.engine) as sdk:
        multi_layer_image(sdk, f"{server.address}/workers/app:1", 2, 0.1)
        sdk.images.push(f"{server.address}/workers/app", tag="1", auth_config={"username": USER, "password": PASSWORD})
    pull = ("docker", "pull", "--quiet", f"{registries.plain}/workers/app:1")
    assert "HTTP response to HTTPS client" in worker.run(*pull, check=False).stderr
    done = devreg(worker, "trust", registries.plain)["data"]
    assert (done["verified"], done["probes"][0]["reach"]) == (True, "answered")
    worker.run(*pull)


def test_a_configuration_that_docker_refuses_is_rolled_back(worker: Machine) -> None:
    refused = '{"no-such-setting": 1}\n'
    write(worker, refused, restart=False)
    before = pid(worker)
    assert devreg(worker, "trust", X, "--force", code=11)["errors"][0]["code"] == "engine-refused"
    assert devreg(worker, "trust", X, "--force", "--restart", "--yes", code=11)
    assert text(worker) == refused
    assert pid(worker) == before
    assert active(worker)


def test_docker_that_does_not_start_with_the_new_file_is_brought_back(worker: Machine, tmp_path: Path) -> None:
    """Only the restart shows the fault, and by then systemd has given up after too many starts."""
    refuses = f"[Service]\nExecStartPre=/bin/sh -c '! grep -q {X} {DAEMON_JSON}'\n"
    worker.run("sh", "-c", f"mkdir -p $(dirname {DROP_IN}) && cat > {DROP_IN}", input=refuses)
    worker.run("systemctl", "daemon-reload")
    start_container(worker, "service", "--restart", "always", tmp=tmp_path)
    before = text(worker)
    try:
        error = devreg(worker, "trust", X, "--restart", "--yes", code=11)["errors"][0]
        assert "as they were" in error["message"]
        assert text(worker) == before
        assert active(worker)
        assert live(worker) == []
        assert state(worker, "service").startswith("true ")
    finally:
        worker.run("docker", "rm", "-f", "service")


def test_what_cannot_be_brought_back_ends_with_the_commands_by_hand(worker: Machine) -> None:
    """A file of others that keeps Docker from starting, brought along with --force by somebody who wants a restart."""
    broken = '{"log-level": "info", "exec-opts": ["native.cgroupdriver=nonsense"]}\n'
    write(worker, broken, restart=False)
    error = devreg(worker, "trust", X, "--force", "--restart", "--yes", code=12)["errors"][0]
    assert text(worker) == broken
    assert "sudo systemctl reset-failed docker.service docker.socket; sudo systemctl restart" in error["hint"]
    copy = error["hint"].partition("sudo cp ")[2].split()[0]
    assert worker.run("cat", copy).stdout == broken
    worker.run("sh", "-c", f"echo '{{}}' > {DAEMON_JSON}")
    worker.run("sh", "-c", error["hint"].partition("; ")[2].replace("sudo ", ""))
    assert active(worker)


def test_a_failed_start_too_many_is_no_obstacle(worker: Machine) -> None:
    """systemd refuses to start what failed three times, even with a good file, until it is told to forget that."""
    good = text(worker)
    write(worker, "{", restart=False)
    for _ in range(4):
        worker.run("systemctl", "restart", "docker", check=False)
    deadline = time.monotonic() + 30
    while active(worker) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not active(worker)
    assert devreg(worker, "trust", X, code=13)["errors"][0]["code"] == "engine-unreachable"
    write(worker, good)
    assert devreg(worker, "trust", X, "--restart", "--yes")["data"]["applied"] == "restart"
    assert active(worker)
    assert live(worker) == [X]


@pytest.mark.parametrize("live_restore", [False, True], ids=["stops-containers", "live-restore"])
def test_a_restart_names_what_it_stops_and_brings_it_back(worker: Machine, tmp_path: Path, live_restore: bool) -> None:
    if live_restore:
        write(worker, '{"log-level": "info", "live-restore": true}\n')
    start_container(worker, "service", "--restart", "always", tmp=tmp_path)
    try:
        before = state(worker, "service")
        asked = call(worker, "trust", X, "--restart")
        assert asked.returncode == (0 if live_restore else 2), asked.stderr
        assert ("service" in asked.stderr) is not live_restore
        if not live_restore:
            done = devreg(worker, "trust", X, "--restart", "--yes")["data"]
            assert done["stopped"] == ["service"]
        assert state(worker, "service").startswith("true ")
        assert (state(worker, "service") == before) is live_restore
        assert live(worker) == [X]
    finally:
        worker.run("docker", "rm", "-f", "service")


@pytest.mark.parametrize("reloaded", [True, False], ids=["known-to-systemd", "on-disk-only"])
def test_a_flag_in_a_drop_in_is_named_with_its_line(worker: Machine, reloaded: bool) -> None:
    drop_in = (
        "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// \\\n  --insecure-registry other.invalid:5000\n"
    )
    worker.run("sh", "-c", f"mkdir -p $(dirname {DROP_IN}) && cat > {DROP_IN}", input=drop_in)
    if reloaded:
        worker.run("systemctl", "daemon-reload")
    before = text(worker)
    error = devreg(worker, "trust", X, code=10)["errors"][0]
    assert f"{DROP_IN}, line 3" in error["message"]
    assert text(worker) == before
    worker.run("rm", DROP_IN)
    worker.run("systemctl", "daemon-reload")
    assert devreg(worker, "trust", X)["changed"]


def test_flags_of_the_running_docker_are_named(worker: Machine) -> None:
    worker.run("sh", "-c", "cp /etc/default/docker /etc/default/docker.kept 2>/dev/null; true")
    worker.run("sh", "-c", 'echo "DOCKER_OPTS=\\"--insecure-registry other.invalid:5000\\"" >> /etc/default/docker')
    try:
        assert "/etc/default/docker, line" in devreg(worker, "trust", X, code=10)["errors"][0]["message"]
        worker.run("systemctl", "restart", "docker")
        assert "runs with --insecure-registry flags" in devreg(worker, "trust", X, code=10)["errors"][0]["message"]
        assert devreg(worker, "trust", "other.invalid:5000")["changed"] is False
    finally:
        worker.run("sh", "-c", "mv /etc/default/docker.kept /etc/default/docker || rm /etc/default/docker")


def test_bootstrap_of_three_machines_twice(
    machines: list[Machine], server: Server, registries: Front, tmp_path: Path
) -> None:
    with client(server.engine) as sdk:
        multi_layer_image(sdk, f"{server.address}/workers/ahead:1", 2, 0.1)
        sdk.images.push(
            f"{server.address}/workers/ahead", tag="1", auth_config={"username": USER, "password": PASSWORD}
        )
    declared = tmp_path / "devreg.toml"
    declared.write_text(
        f'registry = "{registries.plain}"\npull = ["workers/ahead:1"]\n\n'
        f'[[registries]]\naddress = "{registries.plain}"\n'
        f'trust = "insecure"\nusername = "{USER}"\npassword_env = "REGISTRY_PASSWORD"\n'
    )
    for each in machines:
        each.put(declared, "/opt/devreg.toml")
        words, env = ("bootstrap", "/opt/devreg.toml", "--json"), {"REGISTRY_PASSWORD": PASSWORD}
        assert call(each, *words, "--check", env=env).returncode == 1
        first = json.loads(call(each, *words, env=env).stdout)
        assert {step["state"] for step in first["data"]["steps"]} == {"changed"}, first
        again = call(each, *words, env=env)
        second = json.loads(again.stdout)
        assert {step["state"] for step in second["data"]["steps"]} == {"unchanged"}, second
        assert (again.returncode, second["changed"]) == (0, False)
        assert call(each, *words, "--check", env=env).returncode == 0
        each.run("docker", "image", "inspect", f"{registries.plain}/workers/ahead:1")


@pytest.fixture
def app(server: Server) -> str:
    """An image in the registry, by its name there."""
    with client(server.engine) as sdk:
        multi_layer_image(sdk, f"{server.address}/workers/tls:1", 2, 0.1)
        sdk.images.push(f"{server.address}/workers/tls", tag="1", auth_config={"username": USER, "password": PASSWORD})
    return "workers/tls:1"


@pytest.fixture
def authority(machines: list[Machine], registries: Front) -> str:
    """Where the file of the registry's CA is on the worker, beside those of a client."""
    for name in ("ca.pem", "client.pem", "client.key"):
        machines[0].put(registries.folder / name, f"/opt/{name}")
    return "/opt/ca.pem"


def pull(worker: Machine, name: str) -> "subprocess.CompletedProcess[str]":
    return worker.run("docker", "pull", "--quiet", name, check=False)


def certificates(worker: Machine) -> list[str]:
    return worker.run("sh", "-c", "find /etc/docker/certs.d -type f 2>/dev/null | sort; true").stdout.split()


def test_a_ca_makes_pulls_work_without_a_reload(worker: Machine, registries: Front, app: str, authority: str) -> None:
    name, before = f"{registries.tls}/{app}", pid(worker)
    assert "x509" in pull(worker, name).stderr
    done = devreg(worker, "trust", registries.tls, "--ca", authority)
    assert (done["changed"], done["data"]["verified"], done["data"]["removed_insecure"]) == (True, True, False)
    assert done["data"]["file"] == f"/etc/docker/certs.d/{registries.tls}/ca.crt"
    assert pull(worker, name).returncode == 0
    assert devreg(worker, "trust", registries.tls, "--ca", authority)["changed"] is False
    assert (pid(worker), live(worker)) == (before, [])
    assert devreg(worker, "untrust", registries.tls)["changed"] is True
    assert certificates(worker) == []
    assert "x509" in pull(worker, name).stderr


def test_an_insecure_entry_that_would_defeat_the_ca_goes(
    worker: Machine, registries: Front, app: str, authority: str
) -> None:
    del authority
    advised = call(worker, "trust", registries.tls)
    assert advised.returncode == 0
    assert "--ca fetch --fingerprint" in advised.stderr
    assert live(worker) == [registries.tls]
    blind = devreg(worker, "trust", registries.tls, "--ca", "fetch", code=2)["errors"][0]
    shown = blind["message"].rpartition("shown now: ")[2]
    assert devreg(worker, "trust", registries.tls, "--ca", "fetch", "--fingerprint", "ab" * 32, code=11)
    assert (live(worker), certificates(worker)) == ([registries.tls], [])
    done = devreg(worker, "trust", registries.tls, "--ca", "fetch", "--fingerprint", shown)["data"]
    assert (done["verified"], done["removed_insecure"]) == (True, True)
    assert live(worker) == []
    assert pull(worker, f"{registries.tls}/{app}").returncode == 0
    devreg(worker, "untrust", registries.tls)


def test_an_authority_that_does_not_vouch_is_not_installed(worker: Machine, registries: Front, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    worker.put(tmp_path / "other.pem", "/opt/other.pem")
    error = devreg(worker, "trust", registries.tls, "--ca", "/opt/other.pem", code=20)["errors"][0]
    assert "/opt/other.pem does not vouch" in error["message"]
    assert devreg(worker, "trust", registries.plain, "--ca", "/opt/other.pem", code=20)
    assert certificates(worker) == []


def test_a_client_certificate_where_the_registry_wants_one(
    worker: Machine, registries: Front, app: str, authority: str
) -> None:
    assert devreg(worker, "trust", registries.mutual, "--ca", authority, "--cert", "/opt/client.pem", code=2)
    pair = ("--cert", "/opt/client.pem", "--key", "/opt/client.key")
    assert devreg(worker, "trust", registries.mutual, "--ca", authority, *pair)["data"]["verified"] is True
    assert pull(worker, f"{registries.mutual}/{app}").returncode == 0
    folder = f"/etc/docker/certs.d/{registries.mutual}"
    modes = worker.run("stat", "-c", "%a %n", f"{folder}/ca.crt", f"{folder}/client.key").stdout.split()
    assert modes[::2] == ["644", "600"]
    assert devreg(worker, "trust", "--undo")["changed"] is True
    assert certificates(worker) == []


def test_a_registry_that_is_verified_anyway_needs_no_trust(worker: Machine, registries: Front, authority: str) -> None:
    system = "/usr/local/share/ca-certificates/registry.crt"
    worker.run("sh", "-c", f"cp {authority} {system} && update-ca-certificates && systemctl restart docker")
    try:
        done = call(worker, "trust", registries.tls, "--json")
        assert json.loads(done.stdout)["changed"] is False
        assert "no trust is needed" in done.stderr
        assert live(worker) == []
    finally:
        worker.run("sh", "-c", f"rm {system} && update-ca-certificates --fresh && systemctl restart docker")


def test_bootstrap_by_a_ca(worker: Machine, registries: Front, app: str, authority: str, tmp_path: Path) -> None:
    declared = tmp_path / "by-ca.toml"
    declared.write_text(
        f'pull = ["{registries.tls}/{app}"]\n\n[[registries]]\naddress = "{registries.tls}"\n'
        f'trust = "ca"\nca = "{Path(authority).name}"\n'
    )
    worker.put(declared, "/opt/by-ca.toml")
    worker.run("docker", "rmi", "--force", f"{registries.tls}/{app}", check=False)  # other tests have pulled it
    assert call(worker, "bootstrap", "/opt/by-ca.toml", "--check").returncode == 1
    assert certificates(worker) == []
    states = [
        {step["state"] for step in devreg(worker, "bootstrap", "/opt/by-ca.toml")["data"]["steps"]} for _ in range(2)
    ]
    assert states == [{"changed"}, {"unchanged"}]
    assert certificates(worker) == [f"/etc/docker/certs.d/{registries.tls}/ca.crt"]
    assert call(worker, "bootstrap", "/opt/by-ca.toml", "--check").returncode == 0
    assert devreg(worker, "trust", "--undo")["changed"] is True
    assert certificates(worker) == []
