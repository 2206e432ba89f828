"""The options of `registry up` that say how passwords come to the server, and who checks them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from devreg.model import server_tls

Tls = Annotated[
    str | None,
    typer.Option(metavar="self-signed|CERT,KEY|off", help="How to speak TLS.", show_default="off, or as it is"),
]
Domains = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A name that its certificate is for; repeatable.", show_default=False),
]
PlainHttp = Annotated[bool, typer.Option("--plain-http", help="Let passwords cross the network in the clear.")]
ExternalAuth = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Have another service check passwords; `off` ends that.", show_default=False),
]
ExternalAuthCa = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Who vouches for that service, instead of the system's.", show_default=False),
]


def spoken(text: str) -> server_tls.Tls | server_tls.Certificate:
    """What `--tls` says; files by paths that mean the same wherever the next `up` is called. Raises UsageError."""
    found = server_tls.parse(text)
    if isinstance(found, server_tls.Tls):
        return found
    return server_tls.Certificate(str(Path(found.chain).absolute()), str(Path(found.key).absolute()))
