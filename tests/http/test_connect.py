"""Which scheme is spoken, and whether it is a registry."""

from __future__ import annotations

import datetime
import gzip
import socket
from pathlib import Path

import pytest
import trustme

from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import RegistryUnreachable
from devreg.model.tls import Certificates, Connection, Tls
from devreg.registry.client import connect
from tests.http.server import Answer, Open, Serve, error_answer, json_answer, server_context

USER = Credentials("alice", "s3cret")
WELCOME = Answer(200, b"<html>Welcome to nginx!</html>", {"Content-Type": "text/html"})


PING = json_answer({})


def test_asks_once_and_sends_no_credentials_unasked(serve: Serve, opened: Open) -> None:
    server = serve(PING)
    registry = opened(server, credentials=USER)
    assert (registry.scheme, registry.url) == ("http", server.url)
    assert server.lines == ["GET /v2/"]
    assert server.asked[0].authorization is None
    assert server.asked[0].headers["user-agent"] == "devreg/test"


@pytest.mark.parametrize(
    "answer",
    [
        json_answer({}),
        Answer(200, b"{}", {}),
        Answer(401, b"<html>", {"WWW-Authenticate": 'Basic realm="x"'}),
        Answer(401, b"", {"WWW-Authenticate": 'Bearer realm="http://127.0.0.1/v2/token"'}),
        Answer(403, b'{"errors":[{"code":"DENIED"}]}', {}),
        error_answer(404, "UNSUPPORTED"),
    ],
)
def test_what_a_registry_answers(serve: Serve, opened: Open, answer: Answer) -> None:
    opened(serve(answer, bare=True))


@pytest.mark.parametrize(
    "answer",
    [
        WELCOME,
        Answer(404, b"<html>Not Found</html>", {"Content-Type": "text/html"}),
        Answer(404, b'{"detail": "Not Found"}', {"Content-Type": "application/json"}),
        Answer(401, b"", {}),
        Answer(401, b"", {"WWW-Authenticate": "Negotiate"}),
        Answer(401, b"", {"WWW-Authenticate": "Bearer"}),
        Answer(200, b"[]", {"Content-Type": "application/json"}),
        Answer(200, b"[" * 100_000, {}),
        Answer(301, b"", {"Location": "https://elsewhere.example/v2/"}),
    ],
)
def test_what_no_registry_answers(serve: Serve, opened: Open, answer: Answer) -> None:
    server = serve(answer, bare=True)
    with pytest.raises(RegistryUnreachable, match="answers, but not as a registry") as caught:
        opened(server)
    assert f"{server.url}/v2/" in caught.value.message


def test_a_backend_that_is_down_is_told_apart_and_asked_again(serve: Serve, opened: Open) -> None:
    server = serve(Answer(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}), bare=True)
    with pytest.raises(RegistryUnreachable, match=r"502 Bad Gateway$"):
        opened(server)
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    "body",
    [b"<html>The plain HTTP request was sent to HTTPS port</html>", b"Client sent an HTTP request to an HTTPS server."],
)
def test_plain_http_at_a_tls_port(serve: Serve, opened: Open, body: bytes) -> None:
    with pytest.raises(RegistryUnreachable, match="there is HTTPS") as caught:
        opened(serve(Answer(400, body), bare=True))
    assert "https://" in caught.value.hint


@pytest.mark.parametrize("tls", [Tls.LOOPBACK, Tls.INSECURE])
def test_plain_http_is_found_after_https(serve: Serve, opened: Open, tls: Tls) -> None:
    server = serve(PING)
    assert opened(server, tls=tls).scheme == "http"
    assert server.lines[-1] == "GET /v2/"


@pytest.mark.parametrize("tls", [Tls.LOOPBACK, Tls.INSECURE])
def test_unverified_https_comes_first(serve: Serve, opened: Open, authority: trustme.CA, tls: Tls) -> None:
    assert opened(serve(PING, server_context(authority)), tls=tls).scheme == "https"


def test_another_server_on_https_hides_the_registry(serve: Serve, opened: Open, authority: trustme.CA) -> None:
    server = serve(WELCOME, server_context(authority), bare=True)
    with pytest.raises(RegistryUnreachable, match="not as a registry"):
        opened(server, tls=Tls.INSECURE)
    assert len(server.asked) == 1


@pytest.mark.usefixtures("known_authority")
def test_verified_https_with_an_authority_of_this_machine(serve: Serve, opened: Open, authority: trustme.CA) -> None:
    assert opened(serve(PING, server_context(authority)), tls=Tls.VERIFIED).scheme == "https"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """A name, not of loopback, that leads to this machine all the same."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **named: real("127.0.0.1" if host == "registry.example" else host, *rest, **named),
    )
    return "registry.example"


def test_an_unknown_authority(serve: Serve, opened: Open, authority: trustme.CA, elsewhere: str) -> None:
    server = serve(PING, server_context(authority, authority.issue_cert(elsewhere)))
    address = f"{elsewhere}:{server.port}"
    with pytest.raises(RegistryUnreachable, match="authority that this machine does not know") as caught:
        opened(server, tls=Tls.VERIFIED, address=address)
    assert f"devreg trust {address}" in caught.value.hint
    assert server.asked == []


@pytest.mark.parametrize("host", ["registry.example", "127.0.0.1"])
@pytest.mark.usefixtures("elsewhere")
def test_trust_cannot_help_where_https_was_asked_for(
    serve: Serve, opened: Open, authority: trustme.CA, host: str
) -> None:
    for server in (serve(PING), serve(PING, server_context(authority, authority.issue_cert(host)))):
        with pytest.raises(RegistryUnreachable) as caught:
            opened(server, tls=Tls.VERIFIED, address=f"https://{host}:{server.port}")
        assert "devreg trust" not in caught.value.hint
        assert "without https://" in caught.value.hint


@pytest.mark.usefixtures("known_authority")
def test_a_certificate_for_another_name(serve: Serve, opened: Open, authority: trustme.CA) -> None:
    server = serve(PING, server_context(authority, authority.issue_cert("registry.example")))
    with pytest.raises(RegistryUnreachable, match=r"another name than 127\.0\.0\.1"):
        opened(server, tls=Tls.VERIFIED)


@pytest.mark.usefixtures("known_authority")
@pytest.mark.parametrize(("days", "words"), [((-9, -2), "has expired"), ((2, 9), "is not valid yet")])
def test_a_certificate_out_of_its_time(
    serve: Serve, opened: Open, authority: trustme.CA, days: tuple[int, int], words: str
) -> None:
    start, end = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=day) for day in days)
    certificate = authority.issue_cert("127.0.0.1", not_before=start, not_after=end)
    with pytest.raises(RegistryUnreachable, match=words):
        opened(serve(PING, server_context(authority, certificate)), tls=Tls.VERIFIED)


def test_plain_http_where_https_is_wanted(serve: Serve, opened: Open, elsewhere: str) -> None:
    server = serve(PING)
    address = f"{elsewhere}:{server.port}"
    with pytest.raises(RegistryUnreachable, match="speaks plain HTTP, not HTTPS") as caught:
        opened(server, tls=Tls.VERIFIED, address=address)
    assert f"devreg trust {address}" in caught.value.hint


@pytest.mark.parametrize("tls", list(Tls))
def test_nobody_listens(tls: Tls, pauses: list[float]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = Address.parse(f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(RegistryUnreachable, match="nothing listens there"):
            connect(Connection(address, tls, secrets_over_http=False), user_agent="devreg/test")
    assert pauses == []


def test_an_unknown_host() -> None:
    connection = Connection(Address("no-such-host.invalid"), Tls.VERIFIED, secrets_over_http=False)
    with pytest.raises(RegistryUnreachable, match="no host that this machine knows"):
        connect(connection, user_agent="devreg/test", timeout=5)


def test_a_silent_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address.parse(f"127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(RegistryUnreachable, match="took too long"):
            connect(Connection(address, Tls.PLAIN, secrets_over_http=False), user_agent="devreg/test", timeout=0.2)


@pytest.mark.parametrize("raw", [b"", b"220 smtp.example ESMTP\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"\x00" * 50])
def test_a_server_that_speaks_something_else(serve: Serve, opened: Open, raw: bytes) -> None:
    with pytest.raises(RegistryUnreachable, match="speaks no HTTP"):
        opened(serve(Answer(raw=raw), bare=True))


def test_a_body_without_end(serve: Serve, opened: Open) -> None:
    with pytest.raises(RegistryUnreachable, match="longer than 8 MiB"):
        opened(serve(Answer(200, b"x" * (9 * 2**20)), bare=True))


def test_a_decompression_bomb_is_not_opened(serve: Serve, opened: Open) -> None:
    bomb = gzip.compress(b" " * 100 * 2**20)
    with pytest.raises(RegistryUnreachable, match="longer than 8 MiB"):
        opened(serve(Answer(200, bomb, {"Content-Encoding": "gzip"}), bare=True))


def test_a_compression_that_was_not_asked_for(serve: Serve, opened: Open) -> None:
    with pytest.raises(RegistryUnreachable, match="compressed"):
        opened(serve(Answer(200, b"x", {"Content-Encoding": "br"}), bare=True))


@pytest.mark.parametrize("pinned", [False, True], ids=["by its authority", "by its own certificate"])
def test_the_certificates_that_engines_have_for_a_registry_count(serve: Serve, tmp_path: Path, pinned: bool) -> None:
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1")
    server = serve(PING, server_context(ca, certificate))
    file = tmp_path / "ca.crt"
    (certificate.cert_chain_pems[0] if pinned else ca.cert_pem).write_to_path(str(file))
    address = Address.parse(server.host)
    with pytest.raises(RegistryUnreachable, match="authority"):
        connect(Connection(address, Tls.VERIFIED, secrets_over_http=False), user_agent="devreg/test")
    own = Connection(address, Tls.VERIFIED, secrets_over_http=False, certificates=Certificates((str(file),)))
    with connect(own, user_agent="devreg/test") as registry:
        assert registry.scheme == "https"


def test_certificates_that_cannot_be_read_are_named(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_text("no certificate")
    connection = Connection(
        Address.parse(serve(PING).host), Tls.VERIFIED, secrets_over_http=False, certificates=Certificates((str(file),))
    )
    with pytest.raises(RegistryUnreachable, match="cannot be used") as caught:
        connect(connection, user_agent="devreg/test")
    assert str(file) in caught.value.hint
