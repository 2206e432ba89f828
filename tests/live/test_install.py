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
OWN_CERTIFICATE = "/etc/nginx/docker.registry.pem"
RULES_FILE = "/etc/nginx/conf.d/docker.registry.push-rules"
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


def test_what_nobody_has_asked_for_is_not_done(host: Machine, bare: str) -> None:
    del bare
    assert "--tls CERTIFICATE" in devreg(host, "registry", "install", code=2)["errors"][0]["hint"]


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
    asking = f"docker run --rm {PACKAGES_IMAGE} busybox wget -T 3 -qO- http://{registry}:5000/v2/"
    assert host.run("sh", "-c", asking, check=False).returncode
    assert sh(host, f"curl -sS --max-time 3 http://{registry}:5000/v2/") == "{}", "the machine itself may"


def test_its_container_is_held_to_what_up_holds_one_to(host: Machine) -> None:
    about = json.loads(sh(host, f"docker inspect {UNIT}"))[0]["HostConfig"]
    assert about["ReadonlyRootfs"] is True
    assert about["CapDrop"] == ["ALL"]
    assert about["CapAdd"] is None
    assert about["SecurityOpt"] == ["no-new-privileges"]
    assert (about["Memory"], about["MemorySwap"], about["PidsLimit"]) == (2**30, 2**30, 4096)
    assert "GOMEMLIMIT=" in sh(host, f"docker exec {UNIT} sh -c 'cat /proc/1/environ' | tr '\\0' '\\n'")


def test_its_users_come_and_go_and_are_held_to_their_rules(host: Machine) -> None:
    devreg(host, "registry", "user", "add", "member", "--push", "team/*", "--password-stdin", input="pa55word\n")
    begin = "curl -s -o /dev/null -w '%{http_code}' -X POST -u member:pa55word http://127.0.0.1/v2/%s/blobs/uploads/"
    assert sh(host, begin.replace("%s", "team/app")) == "202"
    assert sh(host, begin.replace("%s", "other")) == "403"
    assert devreg(host, "registry", "user", "list")["data"]["push"] == {"member": ["team/*"]}
    devreg(host, "registry", "user", "rules", "member", "other")
    assert sh(host, begin.replace("%s", "other")) == "202"
    assert sh(host, begin.replace("%s", "team/app")) == "403"
    assert sh(host, f"stat -c '%a %U %G' {USERS_FILE} {RULES_FILE}").split() == ["640", "root", "www-data"] * 2
    devreg(host, "registry", "user", "remove", "member")
    assert sh(host, begin.replace("%s", "other")) == "401"
    assert devreg(host, *WORDS)["changed"] is False, "users are no part of what is installed"


def test_status_and_logs_know_it(host: Machine) -> None:
    state = devreg(host, "registry", "status")["data"]
    assert (state["runtime"], state["running"], state["healthy"]) == ("systemd", True, True)
    assert (state["users"], state["volume"], state["images"]) == (
        [USER],
        "docker_registry",
        {"registry": PACKAGES_IMAGE},
    )
    assert state["repositories"] == 1
    assert state["used"] > 1000
    sh(host, "curl -s 'http://127.0.0.1/v2/lab/app/tags/list?n=4711'")
    assert "n=4711" in sh(host, f"{DEVREG} registry logs nginx --tail 5")
    assert "n=4711" in sh(host, f"{DEVREG} registry logs registry --tail 20")
    sh(host, "systemctl stop nginx")
    assert devreg(host, "registry", "status")["data"]["healthy"] is False
    sh(host, "systemctl start nginx")


def test_garbage_is_collected_while_pushes_wait(host: Machine) -> None:
    auth = f"-u '{USER}:{PASSWORD}'"
    begin = f"curl -s {auth} -o /dev/null -w '%{{http_code}}' -X POST http://127.0.0.1/v2/app/blobs/uploads/"
    digest = sh(host, "printf forgotten | sha256sum").split()[0]
    where = (
        f"$(curl -si {auth} -X POST http://127.0.0.1/v2/app/blobs/uploads/ | tr -d '\\r' | sed -n 's/^Location: //p')"
    )
    put = f"curl -s -o /dev/null -w '%{{http_code}}' {auth} -X PUT -H 'Content-Type: application/octet-stream'"
    assert sh(host, f'printf forgotten | {put} --data-binary @- "{where}&digest=sha256:{digest}"') == "201"
    data = "/var/lib/docker/volumes/docker_registry/_data/docker/registry/v2"
    sh(host, f"find {data} -exec touch -d yesterday {{}} +")
    kept = devreg(host, "registry", "gc", "--dry-run")["data"]
    assert kept["blobs"] == 1
    waiting = f"until [ $({begin}) = 429 ]; do sleep 0.1; done"
    script = f"{DEVREG} registry gc --json & pid=$!; timeout 60 sh -c '{waiting.replace(chr(39), chr(34))}'; wait $pid"
    done = json.loads(host.run("bash", "-euc", script).stdout)
    assert done["data"]["blobs"] == 1
    assert sh(host, begin) == "202"
    assert sh(host, f"curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1/v2/app/blobs/sha256:{digest}") == "404"
    assert '"1"' in sh(host, "curl -sSf http://127.0.0.1/v2/lab/app/tags/list")


def test_a_backup_comes_back(host: Machine) -> None:
    made = devreg(host, "registry", "backup", "/backup.tar")["data"]
    assert (made["repositories"], made["tags"], made["users"]) == (1, 1, [USER])
    sh(
        host,
        f"docker tag {PACKAGES_IMAGE} 127.0.0.1/lab/later:1; docker login 127.0.0.1 -u {USER} --password-stdin",
        PASSWORD,
    )
    sh(host, "docker push 127.0.0.1/lab/later:1; docker logout 127.0.0.1")
    assert devreg(host, "registry", "restore", "/backup.tar", code=24)["ok"] is False
    assert devreg(host, "registry", "restore", "/backup.tar", "--replace")["data"] == made
    assert sh(host, "curl -s http://127.0.0.1/v2/_catalog") == '{"repositories":["lab/app"]}\n'
    sh(host, f"docker rmi {IMAGE} && docker pull {IMAGE}")


def test_up_and_install_know_of_each_other(host: Machine) -> None:
    for words in (("up",), ("up", "--runtime", "processes")):
        refused = devreg(host, "registry", *words, "--listen", "127.0.0.1:5000", code=24)
        assert "installed here" in refused["errors"][0]["message"]
    assert "uninstall" in devreg(host, "registry", "down", code=30)["errors"][0]["hint"]


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


def test_a_certificate_of_its_own_is_renewed(host: Machine) -> None:
    words = ("registry", "install", "--tls", "self-signed", "--domain", "registry.example.com")
    done = devreg(host, *words)
    assert (done["changed"], done["data"]["address"]) == (True, "registry.example.com")
    authority = done["data"]["authority"]
    asked = f"curl -sS --cacert {authority} --resolve registry.example.com:443:127.0.0.1"
    assert '"1"' in sh(host, f"{asked} https://registry.example.com/v2/lab/app/tags/list")
    assert sh(host, f"stat -c '%a %U' {OWN_CERTIFICATE}").split() == ["600", "root"]
    assert "PRIVATE KEY" not in sh(host, "cat /var/lib/devreg/install.json")
    state = devreg(host, "registry", "status")["data"]
    assert (state["tls"], state["healthy"], state["address"]) == ("self-signed", True, "registry.example.com")
    assert state["certificate_ends"] == done["data"]["certificate_ends"]
    assert devreg(host, *words)["changed"] is False
    text = host.run(DEVREG, *words).stderr
    assert f"`devreg trust registry.example.com --ca {authority}`" in text
    # A certificate for fewer names than are wanted is issued anew, as one near its end is; the registry runs on.
    pid = sh(host, f"systemctl show {UNIT} --property=MainPID")
    other = ("registry", "install", "--tls", "self-signed", "--domain", "other.example.com")
    assert devreg(host, *other)["changed"] is True
    asked = f"curl -sS --cacert {authority} --resolve other.example.com:443:127.0.0.1"
    assert '"1"' in sh(host, f"{asked} https://other.example.com/v2/lab/app/tags/list")
    assert sh(host, f"systemctl show {UNIT} --property=MainPID") == pid


def test_uninstall_leaves_the_images_and_users_and_what_was_edited(host: Machine) -> None:
    devreg(host, "registry", "user", "add", "member", "--push", "team/*", "--password-stdin", input="pa55word\n")
    sh(host, f"echo '# mine' >> {FILES[1]}")
    gone = devreg(host, "registry", "uninstall")
    assert sorted(gone["data"]["removed"]) == sorted([FILES[0], FILES[2], OWN_CERTIFICATE, RULES_FILE])
    assert gone["data"]["kept"] == [FILES[1], USERS_FILE]
    assert sh(host, f"ls {FILES[1]} {USERS_FILE}")
    assert "docker_registry" in sh(host, "docker volume ls --format '{{.Name}}'")
    assert host.run("systemctl", "is-active", UNIT, check=False).stdout != "active\n"
    assert devreg(host, "registry", "uninstall")["changed"] is False
    sh(host, f"rm {FILES[1]}")


def test_uninstall_with_volumes_takes_everything(host: Machine) -> None:
    assert devreg(host, *WORDS)["data"]["users"] == sorted([USER, "member"]), "as they were"
    begin = "curl -s -o /dev/null -w '%{http_code}' -X POST -u member:pa55word http://127.0.0.1/v2/%s/blobs/uploads/"
    assert [sh(host, begin.replace("%s", name)) for name in ("team/x", "x")] == ["202", "403"], "held to their rules"
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
    assert "127.0.0.1:8082->5000/tcp" in sh(host, "docker ps")
    devreg(host, "registry", "uninstall", "--volumes", "--yes")
    sh(host, f"timeout 60 sh -c '{waiting}'")
    assert look(host) == before
    assert "0.0.0.0:8082->80/tcp" in sh(host, "docker ps")
