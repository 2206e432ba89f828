"""The reference's set-up as files: for systemd and an nginx of the machine, for Compose, and for a swarm."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from devreg.model.rendered import File, Site, Target
from devreg.model.server import LABEL_ROLE, S3, Front, Listen, Nfs, Store
from devreg.server import definition, texts
from devreg.server.definition import DATA_FOLDER

UNIT = "docker.registry.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
USERS_FILE = "/etc/nginx/conf.d/docker.registry.htpasswd"
# Not a name that nginx reads as configuration by itself.
RULES_FILE = "/etc/nginx/conf.d/docker.registry.push-rules"
ACCESS_LOG = "/var/log/nginx/docker.registry.log"
CONFIG = "/etc/docker.registry.yml"
# What both see, the registry in its container and the machine's nginx: systemd makes it when the service starts.
SHARED = "/run/docker.registry"
REGISTRY = Listen("127.0.0.1", 8082)  # where the reference has it
VOLUME = NETWORK = "docker_registry"
_EVERYWHERE = Listen("0.0.0.0", 80)  # noqa: S104 - for everybody, unless somebody says otherwise
_INNER_PORT = 5000
_CHECKER = "127.0.0.1:8083"
_SECRETS = "/run/secrets"


def files(target: Target, site: Site) -> tuple[File, ...]:
    """The files of a target."""
    return _TARGETS[target](site)


def _systemd(site: Site) -> tuple[File, ...]:
    store = Store(folder=DATA_FOLDER, net="tcp", address=f":{_INNER_PORT}", debug=definition.DEBUG)
    mounts = {DATA_FOLDER: VOLUME, definition.SHARED_FOLDER: SHARED}
    container = definition.registry_behind(store, site.images.registry, UNIT, mounts, site.memory, REGISTRY)
    (config,) = container.files
    unit = texts.render(
        "docker.registry.service",
        container=container,
        script=_unit_word(container.command[-1]),
        sources={config: CONFIG},
        network=NETWORK,
        role=LABEL_ROLE,
    )
    return (File(UNIT, unit, UNIT_FILE), File(_base(CONFIG), container.files[config], CONFIG), *_nginx(site))


def _unit_word(text: str) -> str:
    """A word of a command in a unit, as systemd reads it."""
    for mark, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        text = text.replace(mark, written)
    return f'"{text}"'


def _nginx(site: Site) -> tuple[File, ...]:
    front = Front(
        listen=_addresses(site),
        upstream=str(REGISTRY),
        users_file=USERS_FILE,
        rules_file=RULES_FILE,
        checker=_CHECKER,
        # Of all names that no other site has: Debian's default site is one for those, and would be asked first.
        server_name=site.domain or "~.",
        certificate=site.certificate,
        pause_file=f"{SHARED}/{_base(definition.PAUSE_FILE)}",
        access_log=ACCESS_LOG,
    )
    return (
        File(
            "docker.registry.conf",
            texts.render("docker.registry.conf", front=front),
            "/etc/nginx/conf.d/docker.registry.conf",
        ),
    )


def listens(site: Site) -> Listen:
    """Where the machine's nginx listens; for every address the one of IPv4."""
    return site.listen or (Listen(_EVERYWHERE.ip, 443) if site.certificate else _EVERYWHERE)


def _addresses(site: Site) -> tuple[str, ...]:
    """In nginx's words: for every address those of IPv6 too, where the machine has it."""
    listen, ssl = listens(site), " ssl" if site.certificate else ""
    if not listen.is_unspecified:
        return (f"{listen}{ssl}",)
    families = (str(listen.port), f"[::]:{listen.port}") if site.ipv6 else (str(listen.port),)
    return tuple(f"{address}{ssl}" for address in families)


def _compose(site: Site) -> tuple[File, ...]:
    services = definition.containers(site.listen or _EVERYWHERE, site.images, memory=site.memory)
    configs = tuple(File(_base(path), text) for each in services for path, text in each.files.items())
    compose = texts.render("compose.yaml", services=services, volumes=definition.VOLUMES, base=_base)
    return (File("compose.yaml", compose), *configs)


def _swarm(site: Site) -> tuple[File, ...]:
    s3 = site.storage if isinstance(site.storage, S3) else None
    store = Store(DATA_FOLDER, "tcp", f":{_INNER_PORT}", s3=s3, shared=site.storage is not None)
    front = Front(
        listen=(str(_INNER_PORT),),
        upstream=f"tasks.registry:{_INNER_PORT}",
        users_file=f"{_SECRETS}/htpasswd",
        resolver="127.0.0.11",
    )
    registry = File("registry.yml", texts.registry(store))
    nginx = File("nginx.conf", texts.nginx(front, definition.NGINX_PROCESS))
    # Of `up`'s containers all but what the swarm has in other ways: its network, its configs, its secrets.
    alone, before = definition.containers(site.listen or _EVERYWHERE, site.images, memory=site.memory)
    stack = texts.render(
        "stack.yaml",
        site=site,
        registry=alone,
        nginx=before,
        heap=definition.heap(site.memory),
        inner_port=_INNER_PORT,
        s3=s3,
        nfs=site.storage if isinstance(site.storage, Nfs) else None,
        gid=definition.NGINX_GID,
        # A config of a swarm never changes: a new text is a new config, and rolls the service over.
        configs={each.name: hashlib.sha256(each.stamped.encode()).hexdigest()[:12] for each in (registry, nginx)},
    )
    return (File("stack.yaml", stack), registry, nginx)


def _base(path: str) -> str:
    return path.rpartition("/")[2]


_TARGETS: dict[Target, Callable[[Site], tuple[File, ...]]] = {
    Target.SYSTEMD: _systemd,
    Target.NGINX: _nginx,
    Target.COMPOSE: _compose,
    Target.SWARM: _swarm,
}
