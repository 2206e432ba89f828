from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.address import Address
from devreg.model.errors import UsageError

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
HOST = (
    st.lists(LABEL, min_size=1, max_size=4).map(".".join).filter(lambda host: not host.replace(".", "").isdigit())
    | st.ip_addresses(v=4).map(str)
    | st.ip_addresses(v=6).map(lambda ip: f"[{ip}]")
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reg", Address("reg")),
        ("reg.example.com", Address("reg.example.com")),
        ("reg.example.com:5000", Address("reg.example.com", 5000)),
        ("10.0.0.5", Address("10.0.0.5")),
        ("10.0.0.5:65535", Address("10.0.0.5", 65535)),
        ("[::1]", Address("::1")),
        ("[::1]:5000", Address("::1", 5000)),
        ("[2001:db8:0:0::1]:5000", Address("2001:db8::1", 5000)),
        ("http://reg:5000", Address("reg", 5000, "http")),
        ("https://reg/", Address("reg", None, "https")),
        ("HTTPS://reg", Address("reg", None, "https")),
        ("http://[::1]:5000/", Address("::1", 5000, "http")),
        ("a-b.c1:1", Address("a-b.c1", 1)),
        ("xn--bcher-kva.example", Address("xn--bcher-kva.example")),
    ],
)
def test_what_is_an_address(text: str, expected: Address) -> None:
    assert Address.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("docker.io", "registry-1.docker.io"),
        ("https://index.docker.io", "registry-1.docker.io"),
        ("registry-1.docker.io", "registry-1.docker.io"),
        ("docker.io:5000", "docker.io:5000"),
        ("docker.io.example", "docker.io.example"),
    ],
)
def test_dockers_hub_answers_elsewhere(text: str, endpoint: str) -> None:
    assert str(Address.parse(text).endpoint) == endpoint
    assert Address.parse(text).endpoint.scheme == Address.parse(text).scheme


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is empty"),
        ("   ", "it is empty"),
        ("https://", "it is empty"),
        ("ftp://reg", "neither http:// nor https://"),
        ("reg/team", "has a path"),
        ("reg:5000/", "has a path"),
        ("https://reg/v2/", "has a path"),
        ("*.example.com", "has a wildcard"),
        ("Reg.example.com", "upper-case"),
        ("https://Reg", "upper-case"),
        ("my_reg:5000", "underscore"),
        ("reg:", "port ''"),
        ("reg:0", "port '0'"),
        ("reg:65536", "port '65536'"),
        ("reg:99999999999999999999", "port '99999999999999999999'"),
        ("reg:-1", "port '-1'"),
        ("reg:http", "port 'http'"),
        ("reg:\uff15\uff10", "port '\uff15\uff10'"),
        (":5000", "no host"),
        ("reg example", "space"),
        (" reg", "space"),
        ("reg\n", "space"),
        ("reg\x1b[31m", "control"),
        ("::1", "without brackets"),
        ("::1:5000", "without brackets"),
        ("[::1", "does not close"),
        ("[::1]5000", "after the bracket"),
        ("[::1]:", "port ''"),
        ("[reg]", "not an IPv6 address"),
        ("[10.0.0.1]:5000", "not an IPv6 address"),
        ("300.1.1.1", "not an IPv4 address"),
        ("1.2.3", "not an IPv4 address"),
        ("-reg", "not a host name"),
        ("reg-", "not a host name"),
        ("reg..example", "not a host name"),
        ("reg.example.", "not a host name"),
        ("a" * 64, "not a host name"),
        (".".join(["a" * 60] * 5), "not a host name"),
        ("bücher.example", "not a host name"),
        ("reg?x=1", "not a host name"),
    ],
)
def test_what_is_no_address_is_refused_with_the_fault_named(text: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.parse(text)
    assert fault in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["https://alice:s3cret@reg", "alice:s3cret@reg:5000", "s3cret@reg"])
def test_a_password_in_an_address_is_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.parse(text)
    assert "s3cret" not in caught.value.message + caught.value.hint
    assert "devreg login" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "better"), [("Reg:5000", "reg:5000"), ("::1", "[::1]:5000"), ("reg:5000/team/app", "reg:5000")]
)
def test_the_next_step_is_what_to_write(text: str, better: str) -> None:
    with pytest.raises(UsageError) as caught:
        Address.parse(text)
    assert better in caught.value.hint


@given(HOST, st.none() | st.integers(1, 65535), st.sampled_from(["", "http://", "https://"]))
def test_an_address_is_spelled_as_it_was_given_without_its_scheme(host: str, port: int | None, scheme: str) -> None:
    text = host if port is None else f"{host}:{port}"
    address = Address.parse(scheme + text)
    assert str(address) == text
    assert Address.parse(str(address)) == Address(address.host, address.port)


@given(st.text())
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    try:
        address = Address.parse(text)
    except UsageError:
        return
    assert str(Address.parse(str(address))) == str(address)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("127.9.9.9:1", True),
        ("[::1]:5000", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("127.example.com", False),
        ("0.0.0.0:5000", False),
    ],
)
def test_loopback(text: str, expected: bool) -> None:
    assert Address.parse(text).is_loopback is expected
