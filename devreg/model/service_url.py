"""URLs of services that stand in the server's configuration files: an S3 server, a hub, who checks passwords."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# So that nothing in it means more to any of these files than a URL: no quotes, blanks, $ ; { } or user names.
_ORIGIN = r"https?://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
_WITHOUT_PATH, _WITH_PATH = re.compile(_ORIGIN), re.compile(rf"{_ORIGIN}(?:/[A-Za-z0-9._~/-]*)?")


def host(url: str, *, path: bool) -> str | None:
    """The host of such a URL; None for what is none. `path`: whether it may have one."""
    if not (_WITH_PATH if path else _WITHOUT_PATH).fullmatch(url):
        return None
    try:
        return urlsplit(url).hostname
    except ValueError:  # brackets around what is no address
        return None


def leads_to_loopback(url: str) -> bool:
    """Whether a URL means another machine in a container than it means here: the container itself."""
    name = host(url, path=True) or ""
    return name == "localhost" or name.startswith("127.") or name == "::1"
