"""Credentials where Docker keeps them: a credential helper, else `config.json` (docker/cli, "Credential stores").

`credHelpers.<registry>` wins over `credsStore`, which wins over `auths`. A helper that is configured and does not work
(no desktop session, not installed) must not keep anybody from logging in: `config.json` takes its place.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devreg.host.files import locked, make_private_folder, write_atomic
from devreg.host.run import CommandFailed, run
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import ConfigUnusable

_HELPER_SECONDS = 15
_HUB_KEY = "https://index.docker.io/v1/"


def lookup(address: Address) -> Credentials | None:
    """The stored credentials of a registry, None when there are none. Raises ConfigUnusable for a broken file."""
    key = _key(address)
    from_environment = _parsed(os.environ.get("DOCKER_AUTH_CONFIG", ""), "DOCKER_AUTH_CONFIG")
    config = _read()
    helper = _helper(config, key)
    found = _entry(from_environment, key) or (_ask(helper, key) if helper else None)
    return found or _entry(config, key)


@dataclass(frozen=True)
class Kept:
    """Where credentials are kept now. `instead_of` names a credential helper that is configured but does not work."""

    where: str
    instead_of: str | None = None


def store(address: Address, credentials: Credentials) -> Kept:
    """Keep credentials for Docker and devreg. Raises ConfigUnusable when they cannot be written."""
    with _alone():
        return _store(_key(address), credentials)


def _store(key: str, credentials: Credentials) -> Kept:
    config = _read()
    suffix, helper = _configured_helper(config, key), _helper(config, key)
    if helper and _tell(helper, "store", _helper_entry(key, credentials)):
        _drop(config, key)
        return Kept(f"the credential helper {helper}")
    auths = config.setdefault("auths", {})
    for old in _spellings(config, key):
        del auths[old]
    plain = f"{credentials.username}:{credentials.secret}".encode()
    auths[key] = (
        {"auth": base64.b64encode(b"<token>:").decode(), "identitytoken": credentials.secret}
        if credentials.is_identity_token
        else {"auth": base64.b64encode(plain).decode()}
    )
    _write(config)
    return Kept(str(config_file()), instead_of=suffix)


def erase(address: Address) -> bool:
    """Forget the credentials of a registry. False when there were none."""
    with _alone():
        key, config = _key(address), _read()
        helper = _helper(config, key)
        erased = helper is not None and _ask(helper, key) is not None and _tell(helper, "erase", key)
        return _drop(config, key) or erased


def registries() -> tuple[str, ...]:
    """The registries, Docker's hub apart, that there are logins of. Raises ConfigUnusable for a broken file."""
    config = _read()
    keys = (*config.get("auths", {}), *config.get("credHelpers", {}))
    return tuple(dict.fromkeys(_host(key) for key in keys if key != _HUB_KEY))


def config_file() -> Path:
    """Docker's client configuration, where `DOCKER_CONFIG` says, else in the home folder."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _key(address: Address) -> str:
    return _HUB_KEY if str(address) in ("docker.io", "index.docker.io", "registry-1.docker.io") else str(address)


def _read() -> dict[str, Any]:
    file = config_file()
    try:
        return _parsed(file.read_text(), str(file))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigUnusable(
            f"{file} cannot be read: {error}", hint="is it this user's? set DOCKER_CONFIG otherwise"
        ) from error


def _parsed(text: str, source: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ConfigUnusable(
            f"{source} is not valid JSON: {error}", hint="mend it or move it away, then log in again"
        ) from error
    tables = ("auths", "credHelpers")
    if not isinstance(config, dict) or not all(isinstance(config.get(table, {}), dict) for table in tables):
        raise ConfigUnusable(f"{source} is not what Docker writes", hint="mend it or move it away, then log in again")
    return config


def _write(config: dict[str, Any]) -> None:
    write_atomic(config_file(), json.dumps(config, indent="\t").encode(), mode=0o600)


@contextmanager
def _alone() -> Iterator[None]:
    """Two logins at once must not lose one. The folder is the user's only, should it be made here."""
    folder = config_file().parent
    make_private_folder(folder)
    with locked(folder / ".devreg.lock"):
        yield


def _drop(config: dict[str, Any], key: str) -> bool:
    """Take an entry out of config.json, in whichever of its spellings."""
    spellings = _spellings(config, key)
    for spelling in spellings:
        del config["auths"][spelling]
    if spellings:
        _write(config)
    return bool(spellings)


def _spellings(config: dict[str, Any], key: str) -> list[str]:
    """The keys under which config.json has a registry."""
    return [each for each in config.get("auths", {}) if _same(each, key)]


def _entry(config: dict[str, Any], key: str) -> Credentials | None:
    for spelling, entry in config.get("auths", {}).items():
        if _same(spelling, key) and isinstance(entry, dict):
            return _decoded(entry)
    return None


def _same(spelling: str, key: str) -> bool:
    """Old clients wrote keys as URLs; Docker still compares host and port only."""
    return spelling == key or _host(spelling) == key


def _host(spelling: str) -> str:
    return spelling.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _decoded(entry: dict[str, Any]) -> Credentials | None:
    if token := entry.get("identitytoken"):
        return Credentials("<token>", str(token))
    try:
        name, colon, secret = base64.b64decode(str(entry.get("auth") or "")).decode().partition(":")
    except ValueError:  # not base64, not ASCII, not UTF-8
        return None
    return Credentials(name, secret.rstrip("\0")) if colon and name else None


def _configured_helper(config: dict[str, Any], key: str) -> str | None:
    """The name of the helper that is to keep this registry's credentials, None when none is configured."""
    return config.get("credHelpers", {}).get(key) or config.get("credsStore") or None


def _helper(config: dict[str, Any], key: str) -> str | None:
    """Its program; None when none is configured or it is not installed."""
    suffix = _configured_helper(config, key)
    return shutil.which(f"docker-credential-{suffix}") if suffix else None


def _ask(helper: str, key: str) -> Credentials | None:
    try:
        answer = json.loads(run([helper, "get"], input=key, timeout=_HELPER_SECONDS).stdout)
        return Credentials(str(answer["Username"]), str(answer["Secret"]))
    except (CommandFailed, ValueError, KeyError, TypeError):
        return None


def _tell(helper: str, verb: str, text: str) -> bool:
    try:
        run([helper, verb], input=text, timeout=_HELPER_SECONDS)
    except CommandFailed:
        return False
    return True


def _helper_entry(key: str, credentials: Credentials) -> str:
    return json.dumps({"ServerURL": key, "Username": credentials.username, "Secret": credentials.secret})
