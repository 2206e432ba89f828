"""`--external-auth`: another service says whether a password is right; what nginx needs in order to believe it."""

from __future__ import annotations

import ssl
from pathlib import Path

from devreg.host import certificates, files
from devreg.model.errors import ConfigUnusable
from devreg.model.events import Listener, Warn
from devreg.model.server_choices import Choices


def authorities(choices: Choices) -> str:
    """The certificates (PEM) that vouch for the service: those named, or the system's. Empty for plain HTTP.

    Raises ConfigUnusable when there are none.
    """
    if not (choices.external_auth or "").startswith("https:"):
        return ""
    named = choices.external_auth_ca
    found = named or ssl.get_default_verify_paths().cafile
    content = files.read(Path(found)) if found else None
    if not content:
        raise ConfigUnusable(
            f"there are no authorities in {found}, so the service at {choices.external_auth} cannot be verified",
            hint="give --external-auth-ca FILE, or install the system's (the package ca-certificates)",
        )
    return certificates.authorities(content, named) if named else content.decode("ascii", errors="ignore")


def warn(choices: Choices, listener: Listener) -> None:
    """Say what the user should know of the way to the service."""
    if (choices.external_auth or "").startswith("http:"):
        listener(Warn(f"{choices.external_auth} is plain HTTP: passwords go there in the clear"))
