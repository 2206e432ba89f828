"""The reference's set-up as files: for systemd and an nginx of the machine, for Compose, and for a swarm."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from devreg.model.rendered import File, Site, Target
from devreg.model.server import LABEL_ROLE, S3, Front, Listen, Nfs, Store
from devreg.server import definition, texts

UNIT = "docker.registry.service"
UNIT_FILE = f"/etc/systemd/system/{UNIT}"
USERS_FILE = "/etc/nginx/conf.d/docker.registry.htpasswd"
CONFIG = "/etc/docker.registry.yml"
REGISTRY = Listen("127.0.0.1", 8082)  # where the reference has it
VOLUME = NETWORK = "docker_registry"
_EVERYWHERE = Listen("0.0.0.0", 80)  # noqa: S104 - for everybody, unless somebody says otherwise
_CHECKER = "127.0.0.1:8083"
_SECRETS = "/run/secrets"


def files(target: Target, site: Site) -> tuple[File, ...]:
    """The files of a target."""
    return _TARGETS[target](site)


def _systemd(site: Site) -> tuple[File, ...]:
    store = Store(folder="/var/lib/registry", net="tcp", address=":80")
    unit = texts.render(
        "docker.registry.service",
        image=site.images.registry,
        listen=REGISTRY,
        config=CONFIG,
        network=NETWORK,
        role=LABEL_ROLE,
    )
    config = File("docker.registry.yml", texts.registry(store), CONFIG)
    return (File(UNIT, unit, UNIT_FILE), config, *_nginx(site))


def _nginx(site: Site) -> tuple[File, ...]:
    front = Front(
        listen=_addresses(site),
        upstream=str(REGISTRY),
        users_file=USERS_FILE,
        checker=_CHECKER,
        # Of all names that no other site has: Debian's default site is one for those, and would be asked first.
        server_name=site.domain or "~.",
        certificate=site.certificate,
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
    services = definition.containers(site.listen or _EVERYWHERE, site.images)
    configs = tuple(File(_base(path), text) for each in services for path, text in each.files.items())
    compose = texts.render("compose.yaml", services=services, volumes=definition.VOLUMES, base=_base)
    return (File("compose.yaml", compose), *configs)


def _swarm(site: Site) -> tuple[File, ...]:
    s3 = site.storage if isinstance(site.storage, S3) else None
    port = (site.listen or _EVERYWHERE).port
    store = Store("/var/lib/registry", "tcp", ":5000", s3=s3, shared=site.storage is not None)
    front = Front(
        listen=(str(port),),
        upstream="tasks.registry:5000",
        users_file=f"{_SECRETS}/htpasswd",
        resolver="127.0.0.11",
    )
    registry = File("registry.yml", texts.registry(store))
    nginx = File("nginx.conf", texts.nginx(front, definition.NGINX_PROCESS))
    stack = texts.render(
        "stack.yaml",
        site=site,
        port=port,
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
