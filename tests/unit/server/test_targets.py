"""The files for those who run the server themselves."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from ruamel.yaml import YAML

from devreg.model.rendered import File, Site, Target, untouched
from devreg.model.server import S3, Listen, Nfs, ServerImages
from devreg.model.server_tls import Certificate
from devreg.server import definition
from devreg.server.targets import files

SITE = Site(ServerImages("registry:2", "nginx:1"), Listen("0.0.0.0", 5000))  # noqa: S104 - nothing listens
BUCKET = S3("images", "eu-west-1", "http://10.0.0.1:7480")


def texts(target: Target, site: Site = SITE) -> dict[str, str]:
    return {each.name: each.text for each in files(target, site)}


def stack(site: Site) -> Any:
    return YAML(typ="safe").load(texts(Target.SWARM, site)["stack.yaml"])


@pytest.mark.parametrize("target", Target)
def test_every_file_knows_itself(target: Target) -> None:
    for each in files(target, SITE):
        assert untouched(each.stamped)
        assert not untouched(each.stamped + " ")
        assert not untouched(each.text)
        assert each.stamped.startswith("# devreg sha256:")


def test_the_stamp_is_of_all_below_it() -> None:
    assert File("a", "1\n").stamped != File("a", "2\n").stamped


def test_the_unit_is_that_of_the_reference() -> None:
    unit = texts(Target.SYSTEMD)["docker.registry.service"]
    for line in (
        "Restart=always",
        "ExecStartPre=-/usr/bin/docker stop %n",
        "Requires=docker.service",
        "StartLimitIntervalSec=0",
    ):
        assert f"\n{line}\n" in unit
    assert "--volume docker_registry:/var/lib/registry" in unit
    assert "--publish 127.0.0.1:8082:5000 " in unit, "the registry believes whoever reaches it"
    assert "--network docker_registry " in unit, "other containers reach it on the engine's own"


def test_every_target_holds_its_containers_to_what_up_holds_them_to() -> None:
    site = replace(SITE, memory=2**29)
    one, other = definition.containers(Listen("0.0.0.0", 5000), site.images, memory=site.memory)  # noqa: S104
    assert one.scratch == one.capabilities == ()
    services = YAML(typ="safe").load(texts(Target.COMPOSE, site)["compose.yaml"])["services"]
    swarm = stack(site)["services"]
    for each in (one, other):
        composed, swarmed = services[each.role], swarm[each.role]
        assert composed["read_only"] is swarmed["read_only"] is True
        assert composed["cap_drop"] == swarmed["cap_drop"] == ["ALL"]
        assert composed.get("cap_add", []) == swarmed.get("cap_add", []) == list(each.capabilities)
        assert (composed["mem_limit"], composed["memswap_limit"], composed["pids_limit"]) == (2**29, 2**29, 4096)
        assert swarmed["deploy"]["resources"]["limits"] == {"memory": str(2**29), "pids": 4096}
        assert composed["logging"]["options"] == swarmed["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        assert [path.partition(":")[0] for path in composed.get("tmpfs", [])] == list(each.scratch)
        mounts = [mount for mount in swarmed["volumes"] if isinstance(mount, dict)]
        assert [mount["target"] for mount in mounts if mount["type"] == "tmpfs"] == list(each.scratch)
        assert composed["entrypoint"] == [word.replace("$", "$$") for word in each.command]
    unit = texts(Target.SYSTEMD, site)["docker.registry.service"]
    for option in (
        "--read-only --cap-drop ALL --security-opt no-new-privileges",
        f"--memory {2**29} --memory-swap {2**29}",
        "--pids-limit 4096",
        "--user 0:101",
    ):
        assert f" {option} " in unit
    assert all("GOMEMLIMIT=" in each for each in (unit, str(services["registry"]), str(swarm["registry"])))


@pytest.mark.parametrize("target", [Target.SYSTEMD, Target.COMPOSE, Target.SWARM])
def test_without_a_limit_of_memory_none_is_written(target: Target) -> None:
    text = "".join(texts(target).values())
    assert "GOMEMLIMIT" not in text
    assert not re.search(r"mem_limit|--memory|memory:", text)
    assert "4096" in text


def test_nginx_of_the_machine_and_the_registry_see_the_same_pause() -> None:
    found = texts(Target.SYSTEMD)
    unit, conf = found["docker.registry.service"], found["docker.registry.conf"]
    assert "\nRuntimeDirectory=docker.registry\n" in unit
    assert f"--volume /run/docker.registry:{definition.SHARED_FOLDER} " in unit
    assert "if (-f /run/docker.registry/pause.writes)" in conf
    assert f"rm -f {definition.SHARED_FOLDER}/pause.*" in unit
    assert "$$(cat " in unit, "systemd would take a single dollar for a variable"
    assert "include /etc/nginx/conf.d/docker.registry.push-rule[s];" in conf
    assert "access_log /var/log/nginx/docker.registry.log combined;" in conf
    config = YAML(typ="safe").load(found["docker.registry.yml"])
    assert config["http"]["debug"]["addr"].startswith("127.0.0.1:"), "in its container"


def test_the_site_hides_no_other_and_answers_for_any_name_without_one() -> None:
    conf = texts(Target.NGINX)["docker.registry.conf"]
    assert "default_server" not in conf
    assert "  server_name ~.;" in conf
    named = texts(Target.NGINX, replace(SITE, domain="registry.example.com"))["docker.registry.conf"]
    assert "  server_name registry.example.com;" in named


@pytest.mark.parametrize(
    ("listen", "certificate", "ipv6", "public"),
    [
        (None, None, True, ["80", "[::]:80"]),
        (None, None, False, ["80"]),
        (None, Certificate("/etc/a.pem", "/etc/a.key"), True, ["443 ssl", "[::]:443 ssl"]),
        (":5000", Certificate("/etc/a.pem", "/etc/a.key"), True, ["5000 ssl", "[::]:5000 ssl"]),
        ("127.0.0.1:5000", None, True, ["127.0.0.1:5000"]),
        ("[::1]:5000", None, True, ["[::1]:5000"]),
    ],
)
def test_where_the_site_listens(
    listen: str | None, certificate: Certificate | None, ipv6: bool, public: list[str]
) -> None:
    where = None if listen is None else Listen.parse(listen)
    conf = texts(Target.NGINX, replace(SITE, listen=where, certificate=certificate, ipv6=ipv6))["docker.registry.conf"]
    assert re.findall(r"^  listen (.*);", conf, re.MULTILINE) == ["127.0.0.1:8083", *public]
    assert ("ssl_certificate /etc/a.pem;" in conf) is (certificate is not None)


def test_compose_has_the_containers_of_up() -> None:
    compose = YAML(typ="safe").load(texts(Target.COMPOSE)["compose.yaml"])
    services = compose["services"]
    assert list(services) == ["registry", "nginx"]
    assert services["nginx"]["ports"] == ["0.0.0.0:5000:5000"]
    assert "ports" not in services["registry"]
    mounted = {each.split(":")[0] for service in services.values() for each in service["volumes"]}
    assert {each for each in mounted if not each.startswith("./")} == set(compose["volumes"])
    assert {each[2:] for each in mounted if each.startswith("./")} == {"registry.yml", "nginx.conf"}
    assert "devreg_registry:/var/lib/registry:ro" in services["nginx"]["volumes"]


def test_a_swarm_with_s3_has_replicas_that_share_all() -> None:
    found = stack(replace(SITE, storage=BUCKET, replicas=3))
    registry = found["services"]["registry"]
    assert registry["deploy"]["replicas"] == 3
    assert "placement" not in registry["deploy"]
    assert "volumes" not in registry
    assert {"http_secret", "s3_access_key", "s3_secret_key"} == {each["source"] for each in registry["secrets"]}
    assert all(each["external"] for each in found["secrets"].values())
    config = YAML(typ="safe").load(texts(Target.SWARM, replace(SITE, storage=BUCKET))["registry.yml"])
    assert config["storage"]["s3"] == {
        "bucket": "images",
        "region": "eu-west-1",
        "regionendpoint": "http://10.0.0.1:7480",
        "secure": False,
    }
    assert "cache" not in config["storage"], "what one remembers another may delete"


def test_a_swarm_with_nfs_mounts_it_on_every_node() -> None:
    found = stack(replace(SITE, storage=Nfs("nas", "/images"), replicas=2))
    assert found["volumes"]["data"]["driver_opts"]["device"] == ":/images"
    assert found["services"]["registry"]["volumes"] == ["data:/var/lib/registry"]


def test_a_swarm_with_a_volume_stays_on_its_node() -> None:
    deploy = stack(SITE)["services"]["registry"]["deploy"]
    assert (deploy["replicas"], deploy["placement"]["constraints"]) == (1, ["node.labels.registry == true"])
    assert deploy["update_config"]["order"] == "stop-first", "two would write to one folder"


def test_a_changed_config_of_a_swarm_has_another_name() -> None:
    one, other = (stack(replace(SITE, storage=storage))["configs"] for storage in (None, BUCKET))
    assert one["registry"]["name"] != other["registry"]["name"]
    assert one["nginx"]["name"] == other["nginx"]["name"]


def test_every_registry_is_asked_for_by_name_again_and_again() -> None:
    conf = texts(Target.SWARM)["nginx.conf"]
    assert "resolver 127.0.0.11 valid=2s" in conf
    assert "upstream registry_behind" not in conf
    assert "proxy_pass http://$registry_behind;" in conf
