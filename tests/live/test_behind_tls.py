"""The server behind a proxy that ends TLS: tokens are asked for, and uploads go on, over HTTPS."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.live.conftest import Server, free_port
from tests.live.lab import processes
from tests.live.lab.devreg import Devreg
from tests.live.lab.run import need, run


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The file of a certificate authority, beside the pair that it has issued for localhost."""
    ca = trustme.CA()
    ca.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pair.pem"))
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@pytest.fixture
def outer(server: Server, authority: Path, tmp_path: Path) -> Iterator[str]:
    """A real nginx with TLS in front of the server; what it is called."""
    port, pair = free_port(), authority.with_name("pair.pem")
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/errors; user root; events {{}}\n"
        f"http {{ access_log off; client_max_body_size 0; server {{ listen 127.0.0.1:{port} ssl;\n"
        f"  ssl_certificate {pair}; ssl_certificate_key {pair};\n"
        f"  location / {{ proxy_pass http://{server.address}; proxy_request_buffering off;\n"
        "    proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https; } } }\n"
    )
    pid = processes.spawn([need("nginx", "nginx"), "-c", str(config)], env={}, log=tmp_path / "log")
    address = f"localhost:{port}"
    try:
        wait_until_it_answers(address, authority)
        yield address
    finally:
        processes.end(pid)


def wait_until_it_answers(address: str, authority: Path) -> None:
    deadline = time.monotonic() + 10
    while curl(address, authority, "/v2/") == "":
        assert time.monotonic() < deadline, "nginx does not start"
        time.sleep(0.1)


def curl(address: str, authority: Path, path: str, *words: str) -> str:
    """The answer's header lines, empty when there is no answer."""
    done = run("curl", "-sS", "-i", "--cacert", authority, *words, f"https://{address}{path}", check=False)
    return done.stdout.lower() if done.returncode == 0 else ""


def test_the_realm_and_the_uploads_are_on_https(server: Server, outer: str, authority: Path) -> None:
    assert f'realm="https://{outer}/v2/token"' in curl(outer, authority, "/v2/")
    words = ("-X", "POST", "-u", f"{server.user}:{server.password}")
    assert f"location: https://{outer}/v2/tls/blobs/uploads/" in curl(
        outer, authority, "/v2/tls/blobs/uploads/", *words
    )


def test_devreg_verifies_the_certificate(server: Server, outer: str, authority: Path, devreg: Devreg) -> None:
    login = ("login", f"https://{outer}", "-u", server.user, "--password-stdin")
    refused = devreg.fails(20, *login, input=server.password)
    assert "authority" in refused.stderr
    devreg.ok(*login, input=server.password, env={"SSL_CERT_FILE": str(authority)})


def test_skopeo_pushes_through_it(server: Server, outer: str) -> None:
    image = server.pusher.image("tls/app", "2026-01-01T00:00:00Z", [b"layer" * 1000])
    digest = server.pusher.put_manifest("tls/app", "1", image)
    copy = ("copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests")
    credentials = ("--dest-creds", f"{server.user}:{server.password}")
    # Other names, so that the layers go over the wire again.
    run("skopeo", *copy, *credentials, f"docker://{server.address}/tls/app:1", f"docker://{outer}/through/tls:1")
    assert server.anybody.manifest("through/tls", "1").one("Docker-Content-Digest") == digest
