"""A real nginx in front of a registry: plain HTTP and TLS that nobody vouches for, beyond loopback."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.live.lab import processes
from tests.live.lab.engine import Engine
from tests.live.lab.images import busybox_image
from tests.live.lab.run import need, run


@dataclass(frozen=True)
class Front:
    """The addresses of one registry, which no engine trusts of itself: `mutual` wants a client's certificate too.

    `folder` has the files ca.pem of the authority that issued all certificates, client.pem and client.key.
    """

    plain: str
    tls: str
    mutual: str
    folder: Path


@contextmanager
def front(registry: str, bridge: str, folder: Path) -> Iterator[Front]:
    """Serve `registry` (an address) at three others, on the address of an interface, until the end of the block."""
    host = run("ip", "-4", "-brief", "address", "show", "dev", bridge).stdout.split()[2].partition("/")[0]
    plain, tls, mutual = (f"{host}:{free_port_of(host)}" for _ in range(3))
    pair = folder / "pair.pem"
    _issue(host, pair, folder)
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/errors; user root; events {{}}\n"
        "http { access_log off; client_max_body_size 0; proxy_set_header Host $http_host;\n"
        "  proxy_set_header X-Forwarded-Proto $scheme;\n"
        f"  server {{ listen {plain}; location / {{ proxy_pass http://{registry}; }} }}\n"
        f"  server {{ listen {tls} ssl; ssl_certificate {pair}; ssl_certificate_key {pair};\n"
        f"    location / {{ proxy_pass http://{registry}; }} }}\n"
        f"  server {{ listen {mutual} ssl; ssl_certificate {pair}; ssl_certificate_key {pair};\n"
        f"    ssl_verify_client on; ssl_client_certificate {folder}/ca.pem;\n"
        f"    location / {{ proxy_pass http://{registry}; }} }} }}\n"
    )
    pid = processes.spawn([need("nginx", "nginx"), "-c", str(config)], env={}, log=folder / "log")
    try:
        deadline = time.monotonic() + 10
        while run("curl", "-sS", f"http://{plain}/v2/", check=False).returncode != 0:
            assert time.monotonic() < deadline, "nginx does not start"
            time.sleep(0.1)
        yield Front(plain, tls, mutual, folder)
    finally:
        processes.end(pid)


def _issue(host: str, pair: Path, folder: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    ca.issue_cert(host).private_key_and_cert_chain_pem.write_to_path(str(pair))
    client = ca.issue_cert("worker@example.com")
    client.cert_chain_pems[0].write_to_path(str(folder / "client.pem"))
    client.private_key_pem.write_to_path(str(folder / "client.key"))


def free_port_of(host: str) -> int:
    """A port of an address of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def push_busybox(engine: Engine, registry: str, name: str, credentials: str, folder: Path) -> None:
    """Put an image into the registry, by skopeo, which needs no trust of an engine's for it."""
    archive = folder / "image.tar"
    with closing(engine.client()) as sdk:
        image = sdk.images.get(busybox_image(sdk, "lab-busybox:1"))
        archive.write_bytes(b"".join(image.save(named=True)))
    options = ("--dest-tls-verify=false", "--dest-creds", credentials)
    run(need("skopeo", "skopeo"), "copy", *options, f"docker-archive:{archive}", f"docker://{registry}/{name}")
