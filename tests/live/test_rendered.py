"""The rendered files on a fresh Debian with systemd, put in place by the steps that stand in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devreg.server.definition import PACKAGES_IMAGE
from tests.live.conftest import PASSWORD, USER, Server
from tests.live.lab.devreg import user_of
from tests.live.lab.images import save
from tests.live.lab.machine import Machine, machine
from tests.live.lab.run import need, run
from tests.live.lab.wire import Wire, basic

PACKAGES = ("docker.io", "iptables", "nginx", "apache2-utils", "docker-compose", "openssl", "curl")
FOLDER = "/srv/registry"
COMPOSE_PORT = 5000


@dataclass(frozen=True)
class Host:
    """A machine with Docker, nginx and the server's images, and what devreg has rendered for it."""

    machine: Machine
    address: str
    rendered: Path

    def sh(self, script: str, input: str | None = None) -> str:
        """What a shell script prints, in the folder of the files."""
        return self.machine.run("sh", "-euc", f"cd {FOLDER}\n{script}", input=input).stdout


@pytest.fixture(scope="module")
def host(server: Server, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("rendered")
    with machine(server.engine, cache) as fresh:
        fresh.run("apt-get", "update")
        fresh.run("apt-get", "install", "-y", "--no-install-recommends", *PACKAGES)
        fresh.run("mkdir", FOLDER)
        fresh.put(save(server.engine, PACKAGES_IMAGE, folder / "images.tar"), "/images.tar")
        fresh.run("docker", "load", "-i", "/images.tar")
        address = fresh.run("hostname", "-i").stdout.split()[0]
        yield Host(fresh, address, folder)


def render(host: Host, *words: str) -> None:
    """Render into the folder of the machine."""
    images = {"DEVREG_REGISTRY_IMAGE": PACKAGES_IMAGE, "DEVREG_NGINX_IMAGE": PACKAGES_IMAGE}
    target = words[words.index("--target") + 1]
    files = host.rendered / target
    user = user_of(host.machine.engine, host.rendered / f"for-{target}")
    user.ok("registry", "render", *words, "--dir", str(files), env=images)
    for file in files.iterdir():
        host.machine.put(file, f"{FOLDER}/{file.name}")


def steps(host: Host, file: str) -> str:
    """The commands that stand in the first lines of a file of the machine: set in by three blanks."""
    head = re.match(r"(?:#.*\n)+", host.sh(f"cat {file}"))
    assert head
    return "\n".join(re.findall(r"^#   (.*)$", head[0], re.MULTILINE))


def with_user(commands: str) -> str:
    """The steps with a user's name in them, whose password is read from standard input."""
    assert " NAME" in commands
    return (
        commands.replace("htpasswd -nBC 8 NAME", f"htpasswd -inBC 8 {USER}")
        .replace("htpasswd -BC 8 -c", "htpasswd -iBC 8 -c")
        .replace(" NAME", f" {USER}")
    )


def works(host: Host, address: str) -> None:
    """The four promises, by skopeo and by plain requests."""
    name = f"docker://{address}/lab/app:1"
    source = f"docker-archive:{host.rendered}/images.tar"
    skopeo, plain = need("skopeo", "skopeo"), "--dest-tls-verify=false"
    nobody = run(skopeo, "copy", plain, source, name, check=False)
    assert nobody.returncode
    stranger = run(skopeo, "copy", plain, "--dest-creds", f"{USER}:wrong", source, name, check=False)
    assert stranger.returncode
    run(skopeo, "copy", plain, "--dest-creds", f"{USER}:{PASSWORD}", source, name)
    run(skopeo, "inspect", "--tls-verify=false", name)
    assert Wire(address, basic(USER, "wrong"))("GET", "/v2/").status == 401
    assert Wire(address)("POST", "/v2/lab/app/blobs/uploads/").status == 401


def held(host: Host, container: str, capabilities: list[str] | None) -> None:
    """A container may do no more than it would by `up`."""
    about = json.loads(host.sh(f"docker inspect {container}"))[0]["HostConfig"]
    assert about["ReadonlyRootfs"] is True
    assert about["CapDrop"] == ["ALL"]
    assert (about["CapAdd"] or None) == capabilities
    assert about["SecurityOpt"] == ["no-new-privileges"]
    assert (about["Memory"], about["MemorySwap"], about["PidsLimit"]) == (2**30, 2**30, 4096)


def test_systemd_and_the_nginx_of_the_machine(host: Host) -> None:
    render(host, "--target", "systemd")
    host.sh(with_user(steps(host, "docker.registry.conf")), input=f"{PASSWORD}\n")
    host.sh(steps(host, "docker.registry.service").replace("curl ", "curl --retry 20 --retry-all-errors -sSf "))
    works(host, f"{host.address}:80")
    rights = host.sh("stat -c '%a %U %G' /etc/nginx/conf.d/docker.registry.htpasswd").split()
    assert rights == ["640", "root", "www-data"]
    with pytest.raises(OSError, match="refused"):
        Wire(f"{host.address}:8082")("GET", "/v2/")
    held(host, "docker.registry.service", None)


def test_docker_on_the_machine_itself(host: Host) -> None:
    """Its own address on loopback is trusted by every engine."""
    name = "127.0.0.1/lab/own:1"
    host.sh(f"docker tag {PACKAGES_IMAGE} {name}")
    with pytest.raises(AssertionError, match="log in with a user name and password that are right"):
        host.sh(f"docker login 127.0.0.1 -u {USER} --password-stdin", input="wrong")
    host.sh(f"docker login 127.0.0.1 -u {USER} --password-stdin", input=PASSWORD)
    host.sh(f"docker push {name} && docker logout 127.0.0.1 && docker rmi {name} && docker pull {name}")


def test_the_unit_comes_back_and_its_content_stays(host: Host) -> None:
    retrying = "curl --retry 40 --retry-delay 1 --retry-all-errors -sSf http://127.0.0.1:8082/v2/lab/app/tags/list"
    host.sh("systemctl restart docker.registry.service")
    assert '"1"' in host.sh(retrying)
    host.sh("docker kill docker.registry.service")
    assert '"1"' in host.sh(retrying)
    assert host.sh("systemctl is-enabled docker.registry.service").strip() == "enabled"


def test_with_a_certificate(host: Host) -> None:
    host.sh(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=registry.example.com"
        " -addext subjectAltName=DNS:registry.example.com -keyout /etc/ssl/lab.key -out /etc/ssl/lab.pem 2>/dev/null"
    )
    render(host, "--target", "nginx", "--domain", "registry.example.com", "--tls", "/etc/ssl/lab.pem,/etc/ssl/lab.key")
    host.sh("cp docker.registry.conf /etc/nginx/conf.d/ && nginx -t && systemctl reload nginx")
    asked = (
        "curl -sS --retry 10 --retry-all-errors --cacert /etc/ssl/lab.pem --resolve registry.example.com:443:127.0.0.1"
    )
    challenge = host.sh(f"{asked} -i https://registry.example.com/v2/")
    assert 'realm="https://registry.example.com/v2/token"' in challenge
    assert '"1"' in host.sh(f"{asked} https://registry.example.com/v2/lab/app/tags/list")


def test_compose(host: Host) -> None:
    render(host, "--target", "compose", "--listen", f":{COMPOSE_PORT}")
    host.sh(with_user(steps(host, "compose.yaml")).replace("docker compose", "docker-compose"), input=f"{PASSWORD}\n")
    waiting = "until docker ps --filter health=healthy -q | grep -q .; do sleep 1; done"
    told = "docker inspect --format '{{json .State.Health}}' $(docker-compose ps -q nginx)"
    assert "done" in host.sh(f"timeout 60 sh -c '{waiting}' && echo done || {told}")
    works(host, f"{host.address}:{COMPOSE_PORT}")
    for role, capabilities in (("registry", None), ("nginx", ["CHOWN", "KILL", "SETGID", "SETUID"])):
        held(host, f"$(docker-compose ps -q {role})", capabilities)
    host.sh("docker-compose down")
