"""What a devreg.toml may declare, and what is refused: where, and without repeating a secret."""

from __future__ import annotations

from typing import Any

import pytest

from devreg.model.address import Address
from devreg.model.declaration import Declaration, DeclaredRegistry, Misdeclared, PasswordSource, declared
from devreg.model.reference import Reference

REG = Address("reg.example", 5000)
SHA = "ab" * 32


def registry(**keys: Any) -> dict[str, Any]:
    return {"registries": [{"address": "reg.example:5000", **keys}]}


def the_one(**keys: Any) -> DeclaredRegistry:
    [only] = declared(registry(**keys)).registries
    return only


def test_nothing_may_be_declared() -> None:
    assert declared({}) == Declaration()
    assert declared({"pull": [], "registries": []}) == Declaration()


def test_a_whole_declaration() -> None:
    document = {
        "registry": "reg.example:5000",
        "pull": ["team/app:1.0", "other.example/base"],
        **registry(trust="insecure", username="ci", password_env="REGISTRY_PASSWORD"),
    }
    assert declared(document) == Declaration(
        REG,
        (DeclaredRegistry(REG, "insecure", None, None, "ci", PasswordSource("env", "REGISTRY_PASSWORD")),),
        (Reference("team/app", tag="1.0"), Reference("base", Address("other.example"))),
    )


@pytest.mark.parametrize(
    ("keys", "source"),
    [
        ({"password_env": "X"}, PasswordSource("env", "X")),
        ({"password_file": "secrets/x"}, PasswordSource("file", "secrets/x")),
        ({"password_stdin": True}, PasswordSource("stdin")),
        ({"password_stdin": False, "password_env": "X"}, PasswordSource("env", "X")),
    ],
)
def test_each_source_of_a_password(keys: dict[str, Any], source: PasswordSource) -> None:
    assert the_one(username="ci", **keys).password == source


@pytest.mark.parametrize("text", [SHA, SHA.upper(), f"sha256:{SHA}", ":".join(["AB"] * 32)])
def test_spellings_of_a_fingerprint(text: str) -> None:
    assert the_one(trust="ca", fingerprint=text).fingerprint == SHA


def test_trust_is_none_unless_declared() -> None:
    assert the_one().trust == "none"


@pytest.mark.parametrize(
    ("document", "path", "said"),
    [
        ({"regsitry": "x"}, ("regsitry",), "no such key"),
        ({"registry": 5}, ("registry",), "not text"),
        ({"registry": ""}, ("registry",), "empty"),
        ({"registry": "a b"}, ("registry",), "space"),
        ({"registry": "a\nb"}, ("registry",), "does not print"),
        ({"registry": "host/path"}, ("registry",), "path"),
        ({"registry": "plain", "pull": ["app"]}, ("registry",), "account of its hub"),
        ({"pull": "app"}, ("pull",), "not a list"),
        ({"pull": {"a": 1}}, ("pull",), "not a list"),
        ({"pull": ["ok", 5]}, ("pull", 1), "not text"),
        ({"pull": ["ok", "App"]}, ("pull", 1), "lower case"),
        ({"pull": [""]}, ("pull", 0), "not an image reference"),
        ({"pull": ["a:b:c"]}, ("pull", 0), "not a tag"),
        ({"registries": {"address": "x"}}, ("registries",), "not a list"),
        ({"registries": ["reg.example"]}, ("registries", 0), "not a table"),
        ({"registries": [{}]}, ("registries", 0), "no address"),
        ({"registries": [{"address": "a"}, {"address": "a"}]}, ("registries", 1, "address"), "already"),
        ({"registries": [{"address": "a"}, {"address": "http://a"}]}, ("registries", 1, "address"), "already"),
        (registry(adress="x"), ("registries", 0, "adress"), "no such key"),
        (registry(trust="maybe"), ("registries", 0, "trust"), "'maybe'"),
        (registry(trust=True), ("registries", 0, "trust"), "not text"),
        (registry(trust="ca"), ("registries", 0, "trust"), "not named"),
        (registry(trust="ca", ca="x", fingerprint=SHA), ("registries", 0, "fingerprint"), "twice"),
        (registry(ca="x"), ("registries", 0, "ca"), "only"),
        (registry(trust="insecure", fingerprint=SHA), ("registries", 0, "fingerprint"), "only"),
        (registry(trust="ca", fingerprint="abc"), ("registries", 0, "fingerprint"), "64 hex"),
        (registry(username="ci"), ("registries", 0, "username"), "no source"),
        (registry(username="ci", password_stdin=False), ("registries", 0, "username"), "no source"),
        (registry(password_env="X"), ("registries", 0, "password_env"), "no username"),
        (registry(username="ci", password_stdin="yes"), ("registries", 0, "password_stdin"), "neither true nor false"),
        (
            registry(username="ci", password_env="X", password_file="y"),
            ("registries", 0, "password_file"),
            "password_env names",
        ),
        (
            {"registries": [{"address": each, "username": "ci", "password_stdin": True} for each in ("a", "b")]},
            ("registries", 1, "password_stdin"),
            "another registry",
        ),
    ],
)
def test_what_cannot_mean_anything_is_refused_where_it_stands(
    document: dict[str, Any], path: tuple[str | int, ...], said: str
) -> None:
    with pytest.raises(Misdeclared) as caught:
        declared(document)
    assert caught.value.path == path
    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "document",
    [
        {"password": "hunter2"},
        registry(username="ci", password="hunter2"),
        registry(username="ci", Password="hunter2"),
        registry(token="hunter2"),
        registry(auth="hunter2"),
        registry(username="ci:hunter2", password_env="X"),
        registry(username="ci", password_env="hunter2!"),
        {"registries": [{"address": "ci:hunter2@reg.example"}]},
        {"registry": "ci:hunter2@reg.example"},
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(document: dict[str, Any]) -> None:
    with pytest.raises(Misdeclared) as caught:
        declared(document)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_a_likely_key_is_named() -> None:
    with pytest.raises(Misdeclared) as caught:
        declared(registry(adress="x"))
    assert "address" in caught.value.hint
