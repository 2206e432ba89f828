"""What the registry server consists of: two containers, one private network, three volumes.

    clients ──TCP──▶ nginx ──unix socket──▶ registry ──▶ volume devreg_registry

nginx decides who may write; the registry believes whoever reaches it. It therefore listens on a unix socket in a volume
that only these two containers share, and on no port: not even a program on the same machine can go around nginx.
"""

from __future__ import annotations

from devreg.model.server import Container, Front, Listen, NginxProcess, ServerImages, Store
from devreg.server import texts

HUB_IMAGES = ServerImages("registry:2", "nginx:stable-alpine")
# One image for both roles: it is built locally, and two would hold the same libraries twice.
PACKAGES_IMAGE = "devreg/server:packages"

NETWORK = "devreg_registry"
DATA_VOLUME = "devreg_registry"
SOCKET_VOLUME = "devreg_socket"
USERS_VOLUME = "devreg_users"
VOLUMES = (DATA_VOLUME, SOCKET_VOLUME, USERS_VOLUME)

USERS_FILE = "/etc/devreg/users/htpasswd"
RULES_FILE = "/etc/devreg/users/push-rules.conf"
# The group of nginx's workers in the nginx images, and in the image built from packages.
NGINX_GID = 101
_NGINX_PORT = 5000
_NGINX_PROCESS = NginxProcess(
    user="nginx", pid_file="/run/nginx.pid", error_log="/dev/stderr", access_log="/dev/stdout"
)


def containers(listen: Listen, images: ServerImages) -> tuple[Container, Container]:
    """The registry and the nginx in front of it, in the order in which they start."""
    store = Store(folder="/var/lib/registry", net="unix", address="/run/devreg/registry.sock")
    front = Front(
        listen=(str(_NGINX_PORT),), upstream=f"unix:{store.address}", users_file=USERS_FILE, rules_file=RULES_FILE
    )
    registry = Container(
        role="registry",
        name="devreg-registry",
        image=images.registry,
        # Group and umask open the socket to nginx's workers, and to nobody else.
        command=("/bin/sh", "-c", "umask 0007; exec registry serve /etc/devreg/registry.yml"),
        user=f"0:{NGINX_GID}",
        mounts={"/var/lib/registry": DATA_VOLUME, "/run/devreg": SOCKET_VOLUME},
        files={"/etc/devreg/registry.yml": texts.registry(store)},
    )
    nginx = Container(
        role="nginx",
        name="devreg-nginx",
        image=images.nginx,
        command=("nginx", "-c", "/etc/devreg/nginx.conf", "-g", "daemon off;"),
        mounts={"/run/devreg": SOCKET_VOLUME, "/etc/devreg/users": USERS_VOLUME},
        files={"/etc/devreg/nginx.conf": texts.nginx(front, _NGINX_PROCESS)},
        publish=listen,
        inner_port=_NGINX_PORT,
    )
    return registry, nginx
