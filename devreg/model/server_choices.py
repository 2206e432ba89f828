"""What `registry up` was told once about the server, and goes by until it is told otherwise."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass

from devreg.model import server_tls, service_url
from devreg.model.errors import UsageError
from devreg.model.server_tls import Certificate, Tls

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
NO_EXTERNAL_AUTH = "off"


@dataclass(frozen=True)
class Choices:
    """How the server speaks TLS and for which names, and who checks passwords: a URL, None for its own users.

    `external_auth_ca`: the file of the authorities that vouch for that URL's server, None for the system's.
    """

    tls: Tls | Certificate = Tls.OFF
    domains: tuple[str, ...] = ()
    external_auth: str | None = None
    external_auth_ca: str | None = None

    def to_text(self) -> str:
        """As a container's label. `of_text` reads it."""
        tls = self.tls.value if isinstance(self.tls, Tls) else f"{self.tls.chain},{self.tls.key}"
        return json.dumps({**vars(self), "tls": tls}, sort_keys=True)

    @classmethod
    def of_text(cls, text: str) -> Choices:
        """What `to_text` has written; the defaults for an empty text."""
        found = {"tls": Tls.OFF.value, "domains": [], **(json.loads(text) if text else {})}
        return cls(**{**found, "tls": server_tls.parse(found["tls"]), "domains": tuple(found["domains"])})

    def but(
        self,
        *,
        tls: Tls | Certificate | None,
        domains: tuple[str, ...],
        external_auth: str | None,
        external_auth_ca: str | None,
    ) -> Choices:
        """These, changed by what was said now: None and () are nothing, NO_EXTERNAL_AUTH takes the URL away."""
        kept = self.external_auth, self.external_auth_ca
        url, authorities = (external_auth, external_auth_ca) if external_auth else kept
        if url == NO_EXTERNAL_AUTH:
            url, authorities = None, None
        return Choices(self.tls if tls is None else tls, domains or self.domains, url, authorities)


def domain(text: str) -> str:
    """A name or an IP address that a certificate is for. Raises UsageError."""
    name = text.lower()
    if not _DOMAIN.fullmatch(name) or len(name) > 253:
        try:
            return str(ipaddress.ip_address(name.strip("[]")))
        except ValueError as error:
            raise UsageError(
                f"--domain {text!r} is no name of a server",
                hint="write registry.example.com or an IP address, without scheme and port",
            ) from error
    return name


def external_auth(text: str) -> str:
    """The URL of `--external-auth`, or NO_EXTERNAL_AUTH. Raises UsageError."""
    if text == NO_EXTERNAL_AUTH:
        return text
    host = service_url.host(text, path=True)
    if not host:
        raise UsageError(
            f"--external-auth {text!r} cannot be asked for passwords",
            hint="write https://HOST[:PORT]/PATH of plain letters, without user name and query, or `off`",
        )
    if text.startswith("https:") and _is_ip(host):
        raise UsageError(
            f"--external-auth {text!r}: nginx verifies the certificate of a name, not of an address",
            hint="name the service as its certificate does",
        )
    return text


def refuse_loopback(url: str | None) -> None:
    """Raise UsageError for a URL that means something else to an nginx in a container than it means here."""
    if url and service_url.leads_to_loopback(url):
        raise UsageError(
            f"--external-auth {url!r} leads to the container itself, where nginx runs",
            hint="name this machine by its address in the network",
        )


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
