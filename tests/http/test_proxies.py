"""Proxies by the environment."""

from __future__ import annotations

import httpx
import pytest

from devreg.model.address import Address
from devreg.model.errors import UsageError
from devreg.model.tls import Connection, Tls
from devreg.registry.client import connect
from devreg.registry.proxies import proxy_for
from tests.http.server import Open, Serve, json_answer


@pytest.fixture(autouse=True)
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "proxy.example:3128")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://reg.example/", "http://proxy.example:3128"),
        ("https://reg.example:5000/", "http://proxy.example:3128"),
        ("https://reg.inside.example/", None),
        ("http://127.0.0.1:5000/", None),
        ("http://localhost/", None),
        ("http://[::1]:5000/", None),
    ],
)
def test_which(url: str, proxy: str | None) -> None:
    assert proxy_for(httpx.URL(url)) == proxy


def test_requests_go_through_it(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(json_answer({"tags": ["1"]}))
    monkeypatch.setenv("http_proxy", server.url)
    connection = Connection(Address.parse("reg.example:5000"), Tls.PLAIN, secrets_over_http=False)
    with connect(connection, user_agent="devreg/test") as registry:
        assert list(registry.tags("app")) == ["1"]
    assert server.lines[-1] == "GET http://reg.example:5000/v2/app/tags/list?n=1000"


def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://user:s3cret@proxy.example")
    connection = Connection(Address.parse("reg.example:5000"), Tls.PLAIN, secrets_over_http=False)
    with pytest.raises(UsageError, match=r"HTTP_PROXY is not an HTTP proxy$"):
        connect(connection, user_agent="devreg/test")


def test_this_machine_is_asked_directly(serve: Serve, opened: Open) -> None:
    opened(serve(json_answer({})))
