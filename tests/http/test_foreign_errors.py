"""Whatever httpx raises leaves as an error of devreg."""

from __future__ import annotations

import httpx
import pytest

from devreg.model.address import Address
from devreg.model.errors import RegistryUnreachable
from devreg.model.tls import Connection, Tls
from devreg.registry.errors import FOREIGN, translated

CONNECTION = Connection(Address.parse("reg.example:5000"), Tls.VERIFIED, secrets_over_http=False)
URL = httpx.URL("https://reg.example:5000/v2/?secret=1")
CLASSES = sorted(
    (thing for thing in vars(httpx).values() if isinstance(thing, type) and issubclass(thing, Exception)),
    key=lambda kind: kind.__name__,
)


def made(kind: type[Exception]) -> Exception:
    if kind is httpx.HTTPStatusError:
        request = httpx.Request("GET", URL)
        return httpx.HTTPStatusError("secret", request=request, response=httpx.Response(500, request=request))
    return (
        kind()
        if kind in (httpx.StreamConsumed, httpx.StreamClosed, httpx.ResponseNotRead, httpx.RequestNotRead)
        else kind("secret")
    )


def test_they_are_all_known() -> None:
    assert len(CLASSES) >= 28
    assert all(issubclass(kind, FOREIGN) for kind in CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_each_is_translated(kind: type[Exception]) -> None:
    with pytest.raises(RegistryUnreachable) as caught, translated(CONNECTION, URL):
        raise made(kind)
    assert caught.value.message.startswith("https://reg.example:5000 ")
    assert "secret" not in caught.value.message
    assert caught.value.hint


def test_the_failing_host_is_named() -> None:
    request = httpx.Request("GET", "https://auth.example/token?x")
    with pytest.raises(RegistryUnreachable, match=r"^https://auth\.example took too long"), translated(CONNECTION, URL):
        raise httpx.ReadTimeout("", request=request)


def test_bugs_are_left_alone() -> None:
    with pytest.raises(KeyError), translated(CONNECTION, URL):
        raise KeyError
