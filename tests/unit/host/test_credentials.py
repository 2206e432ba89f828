"""Where Docker keeps credentials: read as Docker reads them, written as Docker writes them."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from devreg.host import credentials
from devreg.host.credentials import Kept
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import ConfigUnusable

REG = Address("reg.example", 5000)
ALICE = Credentials("alice", "s3cret: with a colon")

HELPER = """#!/bin/sh
# Keeps one entry in the file beside it; `broken` there makes it fail.
store="$0.kept"
[ "$(cat "$store" 2>/dev/null)" = broken ] && { echo no keychain >&2; exit 1; }
case $1 in
  get) cat >/dev/null; [ -s "$store" ] || { echo credentials not found; exit 1; }; cat "$store" ;;
  store) cat >"$store" ;;
  erase) cat >/dev/null; rm -f "$store" ;;
esac
"""


def entry(username: str, secret: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{secret}".encode()).decode()}


@pytest.fixture
def config(home: Path) -> Path:
    file = home / ".docker/config.json"
    file.parent.mkdir()
    return file


@pytest.fixture
def helper(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credential helper named `box` on the PATH; gives the file that it keeps its entry in."""
    program = home / "docker-credential-box"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{home}:/usr/bin:/bin")
    return program.with_name("docker-credential-box.kept")


def write(file: Path, **content: Any) -> None:
    file.write_text(json.dumps(content))


def test_nothing_is_stored_on_a_new_machine() -> None:
    assert credentials.lookup(REG) is None
    assert credentials.erase(REG) is False


def test_what_is_stored_is_found_and_erased() -> None:
    assert credentials.store(REG, ALICE) == Kept(str(credentials.config_file()))
    assert credentials.lookup(REG) == ALICE
    assert credentials.lookup(Address("reg.example")) is None
    assert credentials.erase(REG) is True
    assert credentials.lookup(REG) is None


def test_the_file_is_the_users_alone() -> None:
    credentials.store(REG, ALICE)
    file = credentials.config_file()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_closed(config: Path) -> None:
    write(config)
    config.chmod(0o644)
    credentials.store(REG, ALICE)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_all_else_in_the_file_stays(config: Path) -> None:
    write(config, auths={"other": entry("bob", "x")}, HttpHeaders={"X": "y"}, currentContext="remote")
    credentials.store(REG, ALICE)
    credentials.erase(REG)
    assert json.loads(config.read_text()) == {
        "auths": {"other": entry("bob", "x")},
        "HttpHeaders": {"X": "y"},
        "currentContext": "remote",
    }


def test_erasing_nothing_does_not_touch_the_file(config: Path) -> None:
    config.write_text('{"auths":   {}}')
    credentials.erase(REG)
    assert config.read_text() == '{"auths":   {}}'


@pytest.mark.parametrize(
    "spelling",
    ["reg.example:5000", "https://reg.example:5000", "http://reg.example:5000/", "https://reg.example:5000/v1/"],
)
def test_old_spellings_of_a_registry_are_understood(config: Path, spelling: str) -> None:
    write(config, auths={spelling: entry("alice", "x")})
    assert credentials.lookup(REG) == Credentials("alice", "x")
    assert credentials.erase(REG) is True
    assert json.loads(config.read_text()) == {"auths": {}}


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_has_its_own_spelling(config: Path, host: str) -> None:
    write(config, auths={"https://index.docker.io/v1/": entry("alice", "x")})
    assert credentials.lookup(Address(host)) == Credentials("alice", "x")


def test_an_identity_token_is_kept_as_docker_keeps_it(config: Path) -> None:
    credentials.store(REG, Credentials("<token>", "abc"))
    assert json.loads(config.read_text())["auths"][str(REG)]["identitytoken"] == "abc"
    assert credentials.lookup(REG) == Credentials("<token>", "abc")


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"auth": ""},
        {"auth": None},
        {"auth": "!!!"},
        {"auth": "/w=="},
        {"auth": "eA=="},
        {"auth": "Ong="},
        "x",
        None,
    ],
)
def test_an_entry_without_credentials_is_none(config: Path, kept: object) -> None:
    write(config, auths={str(REG): kept})
    assert credentials.lookup(REG) is None


def test_an_old_clients_padding_is_not_part_of_the_password(config: Path) -> None:
    write(config, auths={str(REG): entry("alice", "x\0\0")})
    assert credentials.lookup(REG) == Credentials("alice", "x")


def test_an_empty_file_is_a_file_without_entries(config: Path) -> None:
    config.write_text("\n")
    assert credentials.lookup(REG) is None
    credentials.store(REG, ALICE)
    assert credentials.lookup(REG) == ALICE


@pytest.mark.parametrize("text", ["{", "[]", "5", "null", '{"auths": []}', '{"auths": 5}', "\udcff"])
def test_a_broken_file_is_named_and_left_alone(config: Path, text: str) -> None:
    config.write_bytes(text.encode(errors="surrogateescape"))
    before = config.read_bytes()
    with pytest.raises(ConfigUnusable, match=r"config\.json"):
        credentials.lookup(REG)
    with pytest.raises(ConfigUnusable, match=r"config\.json"):
        credentials.store(REG, ALICE)
    assert config.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        {"credHelpers": "box"},
        {"credHelpers": ["box"]},
        {"credsStore": ["box"]},
        {"credHelpers": {str(REG): 5}},
        {"auths": {str(REG): {"auth": "\u00e9\u00e9\u00e9\u00e9"}}},
    ],
    ids=lambda content: json.dumps(content)[:30],
)
def test_odd_values_are_no_bug_of_devreg(config: Path, content: dict[str, Any]) -> None:
    write(config, **content)
    try:
        assert credentials.lookup(REG) is None
    except ConfigUnusable as error:
        assert "config.json" in error.message  # noqa: PT017 - either is fine


def test_the_environment_counts_most(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(config, auths={str(REG): entry("alice", "x")})
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": {str(REG): entry("ci", "y")}}))
    assert credentials.lookup(REG) == Credentials("ci", "y")


def test_a_broken_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", "{")
    with pytest.raises(ConfigUnusable, match="DOCKER_AUTH_CONFIG"):
        credentials.lookup(REG)


def test_a_helper_keeps_the_secret_out_of_the_file(config: Path, helper: Path) -> None:
    write(config, credsStore="box", auths={str(REG): entry("old", "x")})
    kept = credentials.store(REG, ALICE)
    assert "docker-credential-box" in kept.where
    assert kept.instead_of is None
    assert json.loads(helper.read_text()) == {
        "ServerURL": "reg.example:5000",
        "Username": "alice",
        "Secret": ALICE.secret,
    }
    assert json.loads(config.read_text())["auths"] == {}
    assert credentials.lookup(REG) == ALICE
    assert credentials.erase(REG) is True
    assert not helper.exists()
    assert credentials.erase(REG) is False


def test_a_registrys_own_helper_counts_more_than_the_general_one(config: Path, helper: Path) -> None:
    write(config, credsStore="not-installed", credHelpers={str(REG): "box"})
    credentials.store(REG, ALICE)
    assert helper.exists()


def test_a_helper_of_another_registry_is_not_asked(config: Path, helper: Path) -> None:
    write(config, credHelpers={"other": "box"})
    credentials.store(REG, ALICE)
    assert not helper.exists()


@pytest.mark.usefixtures("helper")
def test_a_helper_that_is_not_installed_gives_way_to_the_file(config: Path) -> None:
    write(config, credsStore="not-installed")
    assert credentials.store(REG, ALICE) == Kept(str(config), instead_of="not-installed")
    assert credentials.lookup(REG) == ALICE


def test_a_helper_that_does_not_work_gives_way_to_the_file(config: Path, helper: Path) -> None:
    write(config, credsStore="box")
    helper.write_text("broken")
    assert credentials.store(REG, ALICE) == Kept(str(config), instead_of="box")
    assert credentials.lookup(REG) == ALICE
    assert credentials.erase(REG) is True


@pytest.mark.parametrize("said", ["not json", "{}", "[]", '{"Username": "a"}', "null"])
def test_a_helper_that_talks_nonsense_has_nothing(config: Path, helper: Path, said: str) -> None:
    write(config, credsStore="box")
    helper.write_text(said)
    assert credentials.lookup(REG) is None


def test_the_file_is_where_docker_config_says(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert credentials.config_file() == home / ".docker/config.json"
    monkeypatch.delenv("DOCKER_CONFIG")
    assert credentials.config_file() == home / ".docker/config.json"
    monkeypatch.setenv("DOCKER_CONFIG", "/elsewhere")
    assert credentials.config_file() == Path("/elsewhere/config.json")


def test_a_login_replaces_the_entry_that_an_old_client_wrote_as_a_url(config: Path) -> None:
    config.write_text(json.dumps({"auths": {"https://reg.example:5000/v1/": {"auth": "b2xkOm9sZA=="}}}))
    credentials.store(REG, ALICE)
    assert credentials.lookup(REG) == ALICE
    assert list(json.loads(config.read_text())["auths"]) == ["reg.example:5000"]


def test_the_registries_that_there_are_logins_of(config: Path) -> None:
    assert credentials.registries() == ()
    write(
        config,
        auths={"reg.example:5000": {}, "https://index.docker.io/v1/": {}, "https://old.example/v1/": {}},
        credHelpers={"reg.example:5000": "box", "other.example": "box"},
    )
    assert credentials.registries() == ("reg.example:5000", "old.example", "other.example")
