"""What the registry server consists of: two containers, one private network, four volumes.

    clients ──TCP──▶ nginx ──unix socket──▶ registry ──▶ volume devreg_registry

nginx decides who may write; the registry believes whoever reaches it. It therefore listens on a unix socket in a volume
that only these two containers share, and on no port: not even a program on the same machine can go around nginx.
"""

from __future__ import annotations

from devreg.model.server import Container, Front, Listen, NginxProcess, ServerFile, ServerImages, Store
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
VOLUMES = (DATA_VOLUME, SOCKET_VOLUME, USERS_VOLUME, TLS_VOLUME)

USERS_FILE = "/etc/devreg/users/htpasswd"
RULES_FILE = "/etc/devreg/users/push-rules.conf"
TLS_FILE = "/etc/devreg/tls/server.pem"
FILES = {ServerFile.USERS: USERS_FILE, ServerFile.RULES: RULES_FILE, ServerFile.CERTIFICATE: TLS_FILE}
_EXTERNAL_AUTH_CA = "/etc/devreg/external-auth-ca.pem"
# The group of nginx's workers in the nginx images, and in the image built from packages.
NGINX_GID = 101
_NGINX_PORT = 5000
_DEFAULTS = Choices()
NGINX_PROCESS = NginxProcess(user="nginx", pid_file="/run/nginx.pid", error_log="/dev/stderr", access_log="/dev/stdout")


def containers(
    listen: Listen, images: ServerImages, choices: Choices = _DEFAULTS, authorities: str = ""
) -> tuple[Container, Container]:
    """The registry and the nginx in front of it, in the order in which they start.

    `authorities`: the certificates (PEM) of those who vouch for `choices.external_auth`, where that is https.
    """
    store = Store(folder="/var/lib/registry", net="unix", address="/run/devreg/registry.sock")
    encrypted = choices.tls is not Tls.OFF
    front = Front(
        listen=(f"{_NGINX_PORT} ssl" if encrypted else str(_NGINX_PORT),),
        upstream=f"unix:{store.address}",
        users_file=USERS_FILE,
        rules_file=RULES_FILE,
        certificate=Certificate(TLS_FILE, TLS_FILE) if encrypted else None,
        external_auth=choices.external_auth,
        external_auth_ca=_EXTERNAL_AUTH_CA if authorities else None,
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
        mounts={"/run/devreg": SOCKET_VOLUME, "/etc/devreg/users": USERS_VOLUME, "/etc/devreg/tls": TLS_VOLUME},
        files={
            "/etc/devreg/nginx.conf": texts.nginx(front, NGINX_PROCESS),
            **({_EXTERNAL_AUTH_CA: authorities} if authorities else {}),
        },
        publish=listen,
        inner_port=_NGINX_PORT,
        choices=choices.to_text(),
    )
    return registry, nginx
