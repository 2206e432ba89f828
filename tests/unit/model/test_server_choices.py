"""What `up` is told once, and how it is remembered."""

from __future__ import annotations

import pytest

from devreg.model.errors import UsageError
from devreg.model.server_choices import Choices, domain, external_auth, refuse_loopback
from devreg.model.server_tls import Certificate, Tls

NOTHING = {"tls": None, "domains": (), "external_auth": None, "external_auth_ca": None}


@pytest.mark.parametrize(
    "choices",
    [
        Choices(),
        Choices(Tls.SELF_SIGNED, ("a", "b")),
        Choices(Certificate("/c", "/k"), ("a",), "https://x/", "/ca"),
    ],
)
def test_they_are_remembered_as_text(choices: Choices) -> None:
    assert Choices.of_text(choices.to_text()) == choices
    assert choices.but(**NOTHING) == choices  # type: ignore[arg-type]


def test_a_container_of_before_has_none() -> None:
    assert Choices.of_text("") == Choices()


def test_what_is_said_now_counts() -> None:
    kept = Choices(Tls.SELF_SIGNED, ("a",), "https://x/", "/ca")
    changed = kept.but(tls=Tls.OFF, domains=("b",), external_auth="http://y/", external_auth_ca=None)
    assert changed == Choices(Tls.OFF, ("b",), "http://y/", None)
    assert kept.but(**{**NOTHING, "external_auth": "off"}) == Choices(Tls.SELF_SIGNED, ("a",))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Registry.Example.com", "registry.example.com"),
        ("*.example.com", "*.example.com"),
        ("192.0.2.5", "192.0.2.5"),
        ("[2001:DB8::5]", "2001:db8::5"),
        ("localhost", "localhost"),
    ],
)
def test_a_domain(text: str, name: str) -> None:
    assert domain(text) == name


@pytest.mark.parametrize(
    "text", ["", "a b", "https://a", "a:5000", "a/b", "-a", "a..b", "x" * 64, "a;b", "a*.b", "é.de"]
)
def test_no_domain(text: str) -> None:
    with pytest.raises(UsageError):
        domain(text)


@pytest.mark.parametrize("text", ["http://a.example", "https://a.example:8443/a/b-c.d", "http://192.0.2.1/x", "off"])
def test_a_service_for_passwords(text: str) -> None:
    assert external_auth(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "auth.example", "ldap://a", "http://", "http://a b/", "http://a/;", "http://a/$x", 'http://a/"', "http://a/{",
        "http://a/?q", "http://u@a/", "http://a/#f", "http://a/\n",
        "https://192.0.2.1/", "https://[2001:db8::1]/", "http://a:123456/",
    ],
)  # fmt: skip
def test_what_is_no_service(text: str) -> None:
    with pytest.raises(UsageError):
        external_auth(text)


@pytest.mark.parametrize("url", ["http://localhost/", "http://127.0.0.2/", "http://[::1]:80/"])
def test_this_machine_is_called_otherwise_from_a_container(url: str) -> None:
    assert external_auth(url) == url
    with pytest.raises(UsageError, match="container"):
        refuse_loopback(url)


@pytest.mark.parametrize("url", [None, "off", "http://192.0.2.1/", "https://localhost.example.com/"])
def test_other_machines_are_called_the_same_from_a_container(url: str | None) -> None:
    refuse_loopback(url)
