"""`devreg registry install` on a whole Debian with systemd, Docker and nginx: done, undone, taken away again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devreg.server.definition import PACKAGES_IMAGE
from tests.live.conftest import PASSWORD, USER, Server
from tests.live.lab.images import save
from tests.live.lab.installed import DEVREG, install
from tests.live.lab.machine import Machine, machine
from tests.live.test_readme import EXAMPLES

PACKAGES = ("docker.io", "iptables", "nginx", "curl", "openssl")
UNIT = "docker.registry.service"
FILES = (f"/etc/systemd/system/{UNIT}", "/etc/docker.registry.yml", "/etc/nginx/conf.d/docker.registry.conf")
USERS_FILE = "/etc/nginx/conf.d/docker.registry.htpasswd"
WORDS = ("registry", "install", "--plain-http", "--user", USER, "--password-stdin")
IMAGE = "127.0.0.1/lab/app:1"
# All that an install may touch, with rights, owners and content; what runs, and what the engine keeps.
LOOK = f"""
find /etc/systemd/system /etc/nginx /etc/docker.registry.yml ! -type d -printf '%p %m %u %g %l\\n' 2>/dev/null | sort
find /etc/systemd/system /etc/nginx /etc/docker.registry.yml -type f -exec sha256sum {{}} + 2>/dev/null | sort
systemctl is-enabled {UNIT}; systemctl is-active {UNIT} nginx
docker volume ls --format '{{{{.Name}}}}' | sort; docker network ls --format '{{{{.Name}}}}' | sort
docker ps --format '{{{{.Names}}}}'; curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1/v2/
"""


@pytest.fixture(scope="module")
def host(server: Server, cache: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The machine; the tests below go through its life in order."""
    archive = save(server.engine, PACKAGES_IMAGE, tmp_path_factory.mktemp("images") / "image.tar")
    with machine(server.engine, cache) as fresh:
        fresh.run("apt-get", "update")
        fresh.run("apt-get", "install", "-y", "--no-install-recommends", *PACKAGES)
        install(fresh, wheel)
        fresh.put(archive, "/image.tar")
        fresh.run("docker", "load", "-i", "/image.tar")
        yield fresh


def devreg(host: Machine, *words: str, code: int = 0, input: str = f"{PASSWORD}\n") -> dict[str, Any]:
    """What a command says in JSON."""
    done = host.run(DEVREG, *words, "--json", input=input, check=False)
    assert done.returncode == code, f"{words} -> {done.returncode}\n{done.stdout}\n{done.stderr}"
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def look(host: Machine) -> str:
    return host.run("sh", "-c", LOOK).stdout


def sh(host: Machine, script: str, input: str | None = None) -> str:
    return host.run("sh", "-euc", script, input=input).stdout


@pytest.fixture
def bare(host: Machine) -> Iterator[str]:
    """How the machine is without an install; it is so again in the end."""
    before = look(host)
    assert UNIT not in before
    yield before
    assert look(host) == before
    assert "under_way" not in sh(host, "cat /var/lib/devreg/install.json 2>/dev/null || true")


@pytest.mark.parametrize(
    ("foreign", "said"),
    [
        ("nonsense;", "nonsense"),
        ("upstream registry_behind { server 127.0.0.1:9; }", "duplicate upstream"),
        ("server { listen 80; server_name 127.0.0.1; return 418; }", "status 418"),
    ],
)
def test_what_fails_leaves_everything_as_it_was(host: Machine, bare: str, foreign: str, said: str) -> None:
    del bare
    sh(host, f"echo '{foreign}' > /etc/nginx/conf.d/foreign.conf; nginx -t && systemctl reload nginx || true")
    before = look(host)
    failed = devreg(host, *WORDS, code=30)
    assert said in failed["errors"][0]["message"]
    assert look(host) == before
    sh(host, "rm /etc/nginx/conf.d/foreign.conf; systemctl reload nginx")


def test_a_busy_port_is_named(host: Machine, bare: str) -> None:
    del bare
    sh(host, f"docker run -d --rm --name other -p 127.0.0.1:8082:80 {PACKAGES_IMAGE} sleep 600")
    failed = devreg(host, *WORDS, code=24)
    assert "127.0.0.1:8082 is in use by docker-proxy" in failed["errors"][0]["message"]
    sh(host, "docker kill other; while docker ps | grep -q other; do sleep 0.2; done")


@pytest.mark.parametrize("words", [("registry", "install"), ("registry", "install", "--tls", "self-signed")])
def test_what_nobody_has_asked_for_is_not_done(host: Machine, bare: str, words: tuple[str, ...]) -> None:
    del bare
    assert "--tls CERTIFICATE" in devreg(host, *words, code=2)["errors"][0]["hint"]


@pytest.mark.parametrize("number", ["KILL", "TERM"])
def test_who_is_interrupted_has_changed_nothing(host: Machine, bare: str, number: str) -> None:
    """A killed run is undone by the next; one that is asked to end does so itself."""
    waiting = "until grep -q under_way /var/lib/devreg/install.json 2>/dev/null; do sleep 0.01; done"
    script = f"""
    echo {PASSWORD!r} | {DEVREG} {" ".join(WORDS)} >/tmp/out 2>&1 & pid=$!
    timeout 60 sh -c '{waiting}'
    until [ -e {FILES[2]} ]; do sleep 0.01; done
    kill -{number} $pid; wait $pid || echo $?
    """
    code = host.run("bash", "-c", script).stdout.strip()
    assert code == {"KILL": "137", "TERM": "130"}[number], sh(host, "cat /tmp/out")
    if number == "KILL":
        assert look(host) != bare
        assert devreg(host, "registry", "uninstall")["changed"] is False


def test_install(host: Machine) -> None:
    done = devreg(host, *WORDS)
    assert done["changed"] is True
    assert done["data"]["files"] == [*FILES, USERS_FILE]
    assert (done["data"]["user"], done["data"]["password"]) == (USER, None)
    assert done["data"]["address"] == sh(host, "hostname -i").split()[0]
    assert sh(host, f"stat -c '%a %U %G' {USERS_FILE}").split() == ["640", "root", "www-data"]
    assert PASSWORD not in sh(host, "cat /var/lib/devreg/install.json")
    assert sh(host, "stat -c %a /var/lib/devreg/install.json").strip() == "600"


def test_the_steps_of_the_reference_work(host: Machine) -> None:
    sh(host, f"docker tag {PACKAGES_IMAGE} {IMAGE}")
    assert sh(host, "curl -sSf http://localhost:8082/v2/") == "{}"
    push = f"docker push {IMAGE}"
    assert "log in" in host.run("sh", "-c", f"{push} 2>&1", check=False).stdout
    assert host.run(
        "docker", "login", "127.0.0.1", "-u", USER, "--password-stdin", input="wrong", check=False
    ).returncode
    sh(host, f"docker login 127.0.0.1 -u {USER} --password-stdin", input=PASSWORD)
    sh(host, f"{push} && docker logout 127.0.0.1 && docker rmi {IMAGE} && docker pull {IMAGE}")
    address = sh(host, "hostname -i").split()[0]
    assert '"1"' in sh(host, f"curl -sSf http://{address}/v2/lab/app/tags/list"), "by the machine's address too"


def test_a_second_run_changes_nothing(host: Machine) -> None:
    before, pid = look(host), sh(host, f"systemctl show {UNIT} --property=MainPID")
    again = devreg(host, *WORDS)
    assert (again["changed"], again["data"]["user"]) == (False, None)
    assert (look(host), sh(host, f"systemctl show {UNIT} --property=MainPID")) == (before, pid)


def test_its_content_outlives_it_and_it_comes_back(host: Machine) -> None:
    tags = "curl --retry 40 --retry-delay 1 --retry-all-errors -sSf http://127.0.0.1/v2/lab/app/tags/list"
    for harm in (f"systemctl restart {UNIT}", f"docker kill {UNIT}", "systemctl restart docker"):
        sh(host, harm)
        assert '"1"' in sh(host, tags), harm
    assert "level=info" in sh(host, f"journalctl --unit={UNIT} --output=cat"), "what it says is in the journal"


def test_it_waits_for_an_engine_that_has_crashed(host: Machine) -> None:
    slow = "/run/systemd/system/docker.service.d/slow.conf"
    sh(host, f"mkdir -p {Path(slow).parent}; printf '[Service]\\nRestartSec=20\\n' > {slow}; systemctl daemon-reload")
    sh(host, f"docker kill {UNIT} & systemctl kill --signal=KILL docker; wait")
    sh(host, "timeout 60 sh -c 'until docker info >/dev/null 2>&1; do sleep 0.5; done'")
    retrying = "curl --retry 30 --retry-delay 1 --retry-all-errors -sSf http://127.0.0.1/v2/lab/app/tags/list"
    assert '"1"' in sh(host, retrying)
    sh(host, f"rm {slow}; systemctl daemon-reload")


def test_no_other_container_goes_around_nginx(host: Machine) -> None:
    inspect = "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'"
    registry = sh(host, f"{inspect} {UNIT}").strip()
    assert re.fullmatch(r"[0-9.]+", registry)
    asking = f"docker run --rm {PACKAGES_IMAGE} busybox wget -T 3 -qO- http://{registry}/v2/"
    assert host.run("sh", "-c", asking, check=False).returncode
    assert sh(host, f"curl -sS --max-time 3 http://{registry}/v2/") == "{}", "the machine itself may"


def test_an_edited_file_is_left_alone(host: Machine) -> None:
    conf = FILES[2]
    sh(host, f"echo '# mine' >> {conf}")
    refused = host.run(DEVREG, *WORDS, input=f"{PASSWORD}\n", check=False)
    assert refused.returncode == 24
    assert "-# mine" in refused.stderr
    assert "$2y$" not in refused.stderr
    assert sh(host, f"tail -n 1 {conf}") == "# mine\n"
    assert devreg(host, *WORDS, "--force")["changed"] is True
    assert "# mine" not in sh(host, f"cat {conf}")
    assert "# mine" in sh(host, "cat /var/lib/devreg/rendered/docker.registry.conf.*")


def test_a_certificate(host: Machine) -> None:
    sh(
        host,
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=registry.example.com"
        " -addext subjectAltName=DNS:registry.example.com -keyout /etc/ssl/lab.key -out /etc/ssl/lab.pem 2>/dev/null",
    )
    words = ("registry", "install", "--tls", "/etc/ssl/lab.pem,/etc/ssl/lab.key", "--domain")
    assert "other.example.com" in devreg(host, *words, "other.example.com", code=10)["errors"][0]["message"]
    done = devreg(host, *words, "registry.example.com")
    assert (done["changed"], done["data"]["address"]) == (True, "registry.example.com")
    asked = "curl -sS --cacert /etc/ssl/lab.pem --resolve registry.example.com:443:127.0.0.1"
    assert '"1"' in sh(host, f"{asked} https://registry.example.com/v2/lab/app/tags/list")


def test_uninstall_leaves_the_images_and_users_and_what_was_edited(host: Machine) -> None:
    sh(host, f"echo '# mine' >> {FILES[1]}")
    gone = devreg(host, "registry", "uninstall")
    assert gone["data"]["removed"] == [FILES[0], FILES[2]]
    assert gone["data"]["kept"] == [FILES[1], USERS_FILE]
    assert sh(host, f"ls {FILES[1]} {USERS_FILE}")
    assert "docker_registry" in sh(host, "docker volume ls --format '{{.Name}}'")
    assert host.run("systemctl", "is-active", UNIT, check=False).stdout != "active\n"
    assert devreg(host, "registry", "uninstall")["changed"] is False
    sh(host, f"rm {FILES[1]}")


def test_uninstall_with_volumes_takes_everything(host: Machine) -> None:
    assert devreg(host, *WORDS)["data"]["users"] == [USER], "as they were"
    assert '"1"' in sh(host, "curl -sS http://127.0.0.1/v2/lab/app/tags/list"), "as it was"
    gone = devreg(host, "registry", "uninstall", "--volumes", "--yes")
    # The users were there before this second install: they go back to how they were.
    assert gone["data"]["restored"] == [USERS_FILE]
    assert gone["data"]["volume"] is True
    sh(host, f"rm {USERS_FILE}")
    assert "docker_registry" not in look(host)


def test_the_example_of_the_readme(host: Machine) -> None:
    script = f"PATH={Path(DEVREG).parent}:$PATH PASSWORD={PASSWORD!r}\n{EXAMPLES['service']}"
    assert "the registry answers at" in sh(host, script)
    assert "docker_registry" in sh(host, "docker volume ls --format '{{.Name}}'")
    sh(host, f"docker volume rm docker_registry; rm {USERS_FILE}")


def test_the_set_up_of_the_reference_comes_back(host: Machine) -> None:
    """Somebody has done by hand what the reference says."""
    unit = f"""[Unit]
Requires=docker.service
[Service]
Restart=always
ExecStartPre=-/usr/bin/docker stop %n
ExecStart=/usr/bin/docker run --rm --name %n -p 8082:80 -v docker_registry:/var/lib/registry \\
  -v /etc/old.yml:/old.yml {PACKAGES_IMAGE} registry serve /old.yml
[Install]
WantedBy=multi-user.target
"""
    config = "version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/registry}}\nhttp: {addr: ':80'}\n"
    sh(host, f"cat > /lib/systemd/system/{UNIT}", input=unit)
    sh(host, "cat > /etc/old.yml", input=config)
    sh(host, f"systemctl daemon-reload; systemctl enable --now {UNIT}")
    waiting = "until curl -sSf http://127.0.0.1:8082/v2/; do sleep 0.3; done 2>/dev/null"
    sh(host, f"timeout 60 sh -c '{waiting}'")
    before = look(host)
    assert devreg(host, *WORDS)["changed"] is True
    assert "127.0.0.1:8082->80/tcp" in sh(host, "docker ps")
    devreg(host, "registry", "uninstall", "--volumes", "--yes")
    sh(host, f"timeout 60 sh -c '{waiting}'")
    assert look(host) == before
    assert "0.0.0.0:8082->80/tcp" in sh(host, "docker ps")
