"""Where a registry is: `host[:port]`, maybe with a scheme. Parsed once, handed on as a value.

The rules are the engine's own for `insecure-registries` and for the first part of a reference (facts measured on
engines 20.10 and 28.5): lower case, no path, no wildcard, no underscore. A wrong entry there keeps Docker from
starting, so everything that the engine would refuse is refused here, with the fault named.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace

from devreg.model.errors import UsageError

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


@dataclass(frozen=True)
class Address:
    """A registry's address. `host` is without brackets; `port` and `scheme` are None when the user gave none."""

    host: str
    port: int | None = None
    scheme: str | None = None

    def __str__(self) -> str:
        """As references, `insecure-registries` and config.json spell it: `host`, `host:port` or `[::1]:port`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether a connection stays on this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_hub(self) -> bool:
        """Whether it is the name that Docker's hub has in references."""
        return self.port is None and self.host in ("docker.io", "index.docker.io")

    @property
    def endpoint(self) -> Address:
        """Who answers for it: of Docker's hub that is another host (moby, registry.DefaultV2Registry)."""
        return replace(self, host="registry-1.docker.io") if self.is_hub else self

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read what a user typed. Raises UsageError that names the fault; credentials in it are never repeated."""
        scheme, rest = _split_scheme(text)
        _refuse_faults(text, rest)
        host, port = _split_port(rest)
        return replace(_checked_host(host), port=port, scheme=scheme)


HUB = Address("docker.io")
"""Where engines look for a name that carries no registry."""


def _bad(fault: str, hint: str = "write it as host, host:port, 10.0.0.5:5000 or [::1]:5000") -> UsageError:
    return UsageError(f"not a registry address: {fault}", hint=hint)


def _split_scheme(text: str) -> tuple[str | None, str]:
    match = _SCHEME.match(text)
    if match is None:
        return None, text
    scheme = match[1].lower()
    if scheme not in ("http", "https"):
        raise _bad(f"the scheme {match[1]}:// is neither http:// nor https://")
    return scheme, text[match.end() :].removesuffix("/")


def _refuse_faults(text: str, rest: str) -> None:
    if not rest.strip():
        raise _bad("it is empty")
    if "@" in rest:
        raise _bad("it has a user name or a password in it", "leave them out and use `devreg login`")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise _bad(f"{text!r} has a space or a control character in it")
    if "/" in rest:
        raise _bad(f"{text!r} has a path", f"leave out everything from the slash on: {rest.split('/')[0]}")
    if "*" in rest:
        raise _bad(f"{text!r} has a wildcard; engines know none", "name each host")
    if rest != rest.lower():
        raise _bad(f"{text!r} has upper-case letters; the engine compares byte for byte", f"write {rest.lower()}")


def _split_port(rest: str) -> tuple[str, int | None]:
    if rest.startswith("["):
        host, bracket, tail = rest.partition("]")
        if not bracket:
            raise _bad(f"{rest!r} opens a bracket and does not close it")
        if tail and not tail.startswith(":"):
            raise _bad(f"{rest!r} has {tail!r} after the bracket")
        return host + bracket, _port(rest, tail[1:]) if tail else None
    if rest.count(":") > 1:
        raise _bad(f"{rest!r} is an IPv6 address without brackets", f"write [{rest}] or [{rest}]:5000")
    host, colon, tail = rest.partition(":")
    return host, _port(rest, tail) if colon else None


def _port(rest: str, digits: str) -> int:
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits[:6]) <= 65535 or len(digits) > 5:
        raise _bad(f"{rest!r} has the port {digits!r}; ports are numbers from 1 to 65535")
    return int(digits)


def _checked_host(host: str) -> Address:
    if host.startswith("["):
        try:
            return Address(str(ipaddress.IPv6Address(host[1:-1])))
        except ValueError as error:
            raise _bad(f"{host!r} is not an IPv6 address") from error
    if not host:
        raise _bad("it has no host")
    if "_" in host:
        raise _bad(f"{host!r} has an underscore, which the engine refuses")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise _bad(f"{host!r} is not a host name: letters, digits, dots, and hyphens inside")
    if re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.IPv4Address(host)
        except ValueError as error:
            raise _bad(f"{host!r} is not an IPv4 address") from error
    return Address(host)
