"""What a devreg.toml declares, as values, and the rules for it.

    registry = "registry.example.com:5000"     # the default registry, as in config.toml
    pull = ["team/app:1.0"]                    # images to pull ahead; names without a registry belong to the default

    [[registries]]
    address = "registry.example.com:5000"
    trust = "insecure"                         # or "ca", or "none", which is the default
    ca = "ca.pem"                              # with trust = "ca": its certificate, relative to the file; or
    fingerprint = "…"                          # the SHA-256 of the certificate that the registry is to show
    username = "ci"
    password_env = "REGISTRY_PASSWORD"         # or password_file = "PATH", relative to the file; or
    password_stdin = true                      # for one registry at most

A password itself never stands in the file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from devreg.model.address import Address
from devreg.model.errors import UsageError
from devreg.model.reference import Destination, Reference

Path = tuple[str | int, ...]
Trust = Literal["none", "insecure", "ca"]
Table = Mapping[str, object]
_Parsed = TypeVar("_Parsed")

_TRUSTS: tuple[Trust, ...] = ("none", "insecure", "ca")
_TOP = ("registry", "pull", "registries")
_SOURCES = ("password_env", "password_file", "password_stdin")
_ENTRY = ("address", "trust", "ca", "fingerprint", "username", *_SOURCES)
_SECRETS = {"password", "passwd", "pass", "secret", "token", "identitytoken", "auth", "credentials"}
_FINGERPRINT_HINT = "`openssl x509 -noout -fingerprint -sha256 -in FILE` prints a certificate's"
_SOURCE_HINT = 'name one of password_env = "VARIABLE", password_file = "PATH" and password_stdin = true'


class Misdeclared(Exception):
    """A value that the rules refuse: where it is, what is wrong with it, and what to do. Secrets are not repeated."""

    def __init__(self, path: Path, message: str, hint: str) -> None:
        super().__init__(message)
        self.path, self.message, self.hint = path, message, hint


@dataclass(frozen=True)
class PasswordSource:
    """Where a password comes from. `name`: of the variable or the file; empty for standard input."""

    kind: Literal["env", "file", "stdin"]
    name: str = ""


@dataclass(frozen=True)
class DeclaredRegistry:
    """One of `[[registries]]`. `ca` and `fingerprint` (64 hex digits): one of them is set where `trust` is `ca`.

    `username` and `password` are both set or both None.
    """

    address: Address
    trust: Trust = "none"
    ca: str | None = None
    fingerprint: str | None = None
    username: str | None = None
    password: PasswordSource | None = None


@dataclass(frozen=True)
class Declaration:
    """A whole devreg.toml. A name in `pull` may lack its registry: it belongs to the default one."""

    registry: Address | None = None
    registries: tuple[DeclaredRegistry, ...] = ()
    pull: tuple[Reference, ...] = ()


def declared(document: Table) -> Declaration:
    """The values of a parsed devreg.toml. Raises Misdeclared for the first one that cannot mean anything."""
    _refuse_unknown(document, (), _TOP)
    entries = _list(document, "registries", "[[registries]] tables")
    registries = tuple(_registry(entry, ("registries", number)) for number, entry in enumerate(entries))
    _refuse_duplicates(registries)
    images = tuple(_image(name, ("pull", number)) for number, name in enumerate(_list(document, "pull", "image names")))
    registry = _parsed(document, (), "registry", Address.parse)
    if registry and any(image.registry is None for image in images):
        _parsed(document, (), "registry", Destination.parse)
    return Declaration(registry, registries, images)


def _registry(entry: object, path: Path) -> DeclaredRegistry:
    if not isinstance(entry, Mapping):
        raise Misdeclared(path, "it is not a table", "write each registry as a [[registries]] table")
    _refuse_unknown(entry, path, _ENTRY)
    address = _parsed(entry, path, "address", Address.parse)
    if address is None:
        raise Misdeclared(path, "it has no address", 'add address = "host:port"')
    trust = _trust(entry, path)
    ca, fingerprint = _ca(entry, path, trust)
    username = _text(entry, path, "username")
    if username and ":" in username:
        raise Misdeclared((*path, "username"), "a user name has no colon in it", "a password does not belong here")
    return DeclaredRegistry(address, trust, ca, fingerprint, username, _password(entry, path, username))


def _trust(entry: Table, path: Path) -> Trust:
    text = _text(entry, path, "trust") or "none"
    for trust in _TRUSTS:
        if trust == text:
            return trust
    raise Misdeclared((*path, "trust"), f"{text!r} is no kind of trust", f"write one of {', '.join(_TRUSTS)}")


def _ca(entry: Table, path: Path, trust: Trust) -> tuple[str | None, str | None]:
    """The file and the fingerprint, of which one goes with `trust = "ca"` and none with the others."""
    given = [key for key in ("ca", "fingerprint") if key in entry]
    if trust != "ca" and given:
        raise Misdeclared((*path, given[0]), 'it goes with trust = "ca" only', f'add trust = "ca", or drop {given[0]}')
    if trust == "ca" and len(given) != 1:
        key = given[1] if given else "trust"
        fault = "the CA is named twice" if given else "the CA is not named"
        raise Misdeclared((*path, key), fault, 'give one of ca = "FILE" and fingerprint = "SHA-256 in hex"')
    return _text(entry, path, "ca"), _parsed(entry, path, "fingerprint", _fingerprint)


def _fingerprint(text: str) -> str:
    digits = text.lower().removeprefix("sha256:").replace(":", "")
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise UsageError(f"{text!r} is not a SHA-256: 64 hex digits", hint=_FINGERPRINT_HINT)
    return digits


def _password(entry: Table, path: Path, username: str | None) -> PasswordSource | None:
    """The one source of the password, None where there is no login."""
    given = [key for key in _SOURCES if entry.get(key, False) is not False]
    if len(given) > 1:
        raise Misdeclared((*path, given[1]), f"{given[0]} names a source of the password already", _SOURCE_HINT)
    if username and not given:
        raise Misdeclared((*path, "username"), "there is no source of the password", _SOURCE_HINT)
    if not given:
        return None
    key, place = given[0], (*path, given[0])
    if not username:
        raise Misdeclared(place, "there is no username to go with it", 'add username = "NAME"')
    if key == "password_stdin":
        if entry[key] is not True:
            raise Misdeclared(place, "it is neither true nor false", _SOURCE_HINT)
        return PasswordSource("stdin")
    name = _text(entry, path, key) or ""
    if key == "password_file":
        return PasswordSource("file", name)
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):  # maybe the password itself: not repeated
        raise Misdeclared(
            place, "it is not the name of an environment variable", "name the variable, not what is in it"
        )
    return PasswordSource("env", name)


def _image(name: object, path: Path) -> Reference:
    if not isinstance(name, str):
        raise Misdeclared(path, "it is not text", "write images as [registry/]repository[:tag]")
    return _checked(path, name, Reference.parse)


def _refuse_duplicates(registries: tuple[DeclaredRegistry, ...]) -> None:
    addresses = [str(each.address) for each in registries]
    on_stdin = [number for number, each in enumerate(registries) if each.password == PasswordSource("stdin")]
    for number, address in enumerate(addresses):
        if address in addresses[:number]:
            raise Misdeclared(("registries", number, "address"), f"{address} is declared above already", "drop one")
    if len(on_stdin) > 1:
        path = ("registries", on_stdin[1], "password_stdin")
        raise Misdeclared(path, "another registry has its password on standard input already", _SOURCE_HINT)


def _refuse_unknown(table: Table, path: Path, known: Collection[str]) -> None:
    for key in table:
        if key.lower() in _SECRETS:
            raise Misdeclared((*path, key), "a secret does not belong in this file", f"take it out; {_SOURCE_HINT}")
        if key not in known:
            likely = difflib.get_close_matches(key, known, 1)
            hint = f"is {likely[0]} meant?" if likely else f"what may stand here: {', '.join(known)}"
            raise Misdeclared((*path, key), "there is no such key", hint)


def _list(document: Table, key: str, of: str) -> list[object]:
    value = document.get(key, [])
    if not isinstance(value, list):
        raise Misdeclared((key,), f"it is not a list of {of}", "`devreg bootstrap --help` shows how it is written")
    return value


def _text(table: Table, path: Path, key: str) -> str | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Misdeclared((*path, key), "it is not text", f'write {key} = "…", in quotes')
    if not value.strip() or not value.isprintable():
        fault = "it has a character in it that does not print" if value.strip() else "it is empty"
        raise Misdeclared((*path, key), fault, "mend it, or leave it out")
    return value


def _parsed(table: Table, path: Path, key: str, parse: Callable[[str], _Parsed]) -> _Parsed | None:
    text = _text(table, path, key)
    return None if text is None else _checked((*path, key), text, parse)


def _checked(path: Path, text: str, parse: Callable[[str], _Parsed]) -> _Parsed:
    try:
        return parse(text)
    except UsageError as error:
        raise Misdeclared(path, error.message, error.hint) from error
