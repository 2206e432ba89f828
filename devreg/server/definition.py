"""What the registry server consists of: two containers, one private network, four volumes.

    clients ──TCP──▶ nginx ──unix socket──▶ registry ──▶ volume devreg_registry
                       └──────────── reads blobs ──────────────▲

nginx decides who may write; the registry believes whoever reaches it. It therefore listens on a unix socket in a volume
that only these two containers share, and on no port: not even a program on the same machine can go around nginx. On its
container's own loopback it tells how many requests are under way, and nothing else.
"""

from __future__ import annotations

import json
import re

from devreg.model.server import Container, Front, Hub, Listen, NginxProcess, ServerFile, ServerImages, Store
from devreg.model.server_choices import Choices
from devreg.model.server_tls import Certificate, Tls
from devreg.server import texts

HUB_IMAGES = ServerImages("registry:2", "nginx:stable-alpine")
# One image for both roles: it is built locally, and two would hold the same libraries twice.
PACKAGES_IMAGE = "devreg/server:packages"

NETWORK = "devreg_registry"
DATA_VOLUME = "devreg_registry"
SOCKET_VOLUME = "devreg_socket"
USERS_VOLUME = "devreg_users"
TLS_VOLUME = "devreg_tls"
MIRROR_VOLUME = "devreg_mirror"
MIRROR_NETWORK = "devreg_mirror"
VOLUMES = (DATA_VOLUME, SOCKET_VOLUME, USERS_VOLUME, TLS_VOLUME)

USERS_FILE = "/etc/devreg/users/htpasswd"
RULES_FILE = "/etc/devreg/users/push-rules.conf"
TLS_FILE = "/etc/devreg/tls/server.pem"
FILES = {
    ServerFile.USERS: USERS_FILE,
    ServerFile.RULES: RULES_FILE,
    ServerFile.CERTIFICATE: TLS_FILE,
    ServerFile.UNREAD: "/etc/devreg/users/unread",
}
_EXTERNAL_AUTH_CA = "/etc/devreg/external-auth-ca.pem"
# The group of nginx's workers in the nginx images, and in the image built from packages.
NGINX_GID = 101
# The folder that both containers see; what is in it does not outlive them.
SHARED_FOLDER = "/run/devreg"
PAUSE_FILE = f"{SHARED_FOLDER}/pause"
DATA_FOLDER = "/var/lib/registry"
# Where the registry keeps blobs, below that folder.
BLOBS = "docker/registry/v2/blobs"
CONFIG_FILE = "/etc/devreg/registry.yml"
DEBUG = "127.0.0.1:5001"
# A pause has ended with the one that asked for it, and so have its lists. The secret is what uploads are known by: with
# the same one they go on after a restart, and after an upgrade.
_SECRET = f"{SHARED_FOLDER}/secret"
_PREPARE = (
    f"rm -f {PAUSE_FILE}.* {SHARED_FOLDER}/list.*; umask 0077; "
    f"[ -s {_SECRET} ] || busybox head -c 24 /dev/urandom | busybox base64 > {_SECRET}; "
    f"umask 0007; export REGISTRY_HTTP_SECRET=$(cat {_SECRET})"
)
_NGINX_PORT = 5000
_MIRROR_PORT = 5000
_DEFAULTS = Choices()
NGINX_PROCESS = NginxProcess(user="nginx", pid_file="/run/nginx.pid", error_log="/dev/stderr", access_log="/dev/stdout")
_PROXY = re.compile(r'^  (remoteurl|username|password): (".*")$', re.MULTILINE)
# The folders that nginx writes to, in the published image and in the one built from packages.
_NGINX_SCRATCH = ("/run", "/var/cache/nginx", "/var/lib/nginx", "/var/log/nginx")
# nginx starts as root: it gives its folders away, its workers become somebody else, and it ends those that hang.
_NGINX_CAPABILITIES = ("CHOWN", "KILL", "SETGID", "SETUID")
_SHARE_OF_HEAP = 0.85


def containers(
    listen: Listen,
    images: ServerImages,
    choices: Choices = _DEFAULTS,
    authorities: str = "",
    memory: int | None = None,
) -> tuple[Container, Container]:
    """The registry and the nginx in front of it, in the order in which they start.

    `authorities`: the certificates (PEM) of those who vouch for `choices.external_auth`, where that is https.
    `memory`: the bytes that each of the two may use, None for all there are.
    """
    store = Store(folder=DATA_FOLDER, net="unix", address="/run/devreg/registry.sock", debug=DEBUG)
    encrypted = choices.tls is not Tls.OFF
    front = Front(
        listen=(f"{_NGINX_PORT} ssl" if encrypted else str(_NGINX_PORT),),
        upstream=f"unix:{store.address}",
        users_file=USERS_FILE,
        rules_file=RULES_FILE,
        certificate=Certificate(TLS_FILE, TLS_FILE) if encrypted else None,
        external_auth=choices.external_auth,
        external_auth_ca=_EXTERNAL_AUTH_CA if authorities else None,
        pause_file=PAUSE_FILE,
        blobs_folder=f"{DATA_FOLDER}/{BLOBS}",
    )
    mounts = {DATA_FOLDER: DATA_VOLUME, SHARED_FOLDER: SOCKET_VOLUME}
    registry = registry_behind(store, images.registry, "devreg-registry", mounts, memory)
    nginx = Container(
        role="nginx",
        name="devreg-nginx",
        image=images.nginx,
        command=("nginx", "-c", "/etc/devreg/nginx.conf", "-g", "daemon off;"),
        mounts={SHARED_FOLDER: SOCKET_VOLUME, "/etc/devreg/users": USERS_VOLUME, "/etc/devreg/tls": TLS_VOLUME},
        views={DATA_FOLDER: DATA_VOLUME},
        files={
            "/etc/devreg/nginx.conf": texts.nginx(front, NGINX_PROCESS),
            **({_EXTERNAL_AUTH_CA: authorities} if authorities else {}),
        },
        publish=listen,
        inner_port=_NGINX_PORT,
        choices=choices.to_text(),
        scratch=_NGINX_SCRATCH,
        capabilities=_NGINX_CAPABILITIES,
        memory=memory,
    )
    return registry, nginx


def registry_behind(
    store: Store,
    image: str,
    name: str,
    mounts: dict[str, str],
    memory: int | None,
    publish: Listen | None = None,
) -> Container:
    """The registry behind an nginx, wherever that runs. `mounts` say what DATA_FOLDER and SHARED_FOLDER are."""
    return Container(
        role="registry",
        name=name,
        image=image,
        # Group and umask open the socket to nginx's workers, and to nobody else.
        command=("/bin/sh", "-c", f"{_PREPARE}; {heap(memory)}exec registry serve {CONFIG_FILE}"),
        user=f"0:{NGINX_GID}",
        mounts=mounts,
        files={CONFIG_FILE: texts.registry(store)},
        publish=publish,
        inner_port=None if publish is None else int(store.address.rpartition(":")[2]),
        memory=memory,
    )


def mirror(listen: Listen, image: str, hub: Hub, memory: int | None = None) -> Container:
    """A registry that fetches from a hub what it is asked for, and keeps it. Nobody can push to it."""
    store = Store(folder=DATA_FOLDER, net="tcp", address=f":{_MIRROR_PORT}", hub=hub)
    return Container(
        role="mirror",
        name="devreg-mirror",
        image=image,
        command=("/bin/sh", "-c", f"{heap(memory)}exec registry serve {CONFIG_FILE}"),
        mounts={DATA_FOLDER: MIRROR_VOLUME},
        files={CONFIG_FILE: texts.registry(store)},
        file_mode=0o600,
        publish=listen,
        inner_port=_MIRROR_PORT,
        memory=memory,
    )


def hub_of(config: str) -> Hub | None:
    """The hub, with its credentials, that the configuration of a mirror names; None when it names none."""
    found = {key: json.loads(value) for key, value in _PROXY.findall(config)}
    return Hub(found["remoteurl"], found.get("username"), found.get("password")) if "remoteurl" in found else None


def heap(memory: int | None) -> str:
    """A shell's words before a Go program, for it to collect its garbage harder rather than be killed at the limit."""
    return "" if memory is None else f"GOMEMLIMIT={int(memory * _SHARE_OF_HEAP)} "
