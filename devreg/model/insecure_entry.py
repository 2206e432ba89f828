"""How the engine reads one entry of its list of insecure registries.

Source: `loadInsecureRegistries` in moby's registry/config.go, and a reload of engines 20.10 and 26.1 for each spelling
(the table is in tests/unit/model/test_insecure_entry.py); they differ only in `[::1]`, which 20.10 refuses.
`dockerd --validate` does not check this list.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

_SCHEME = re.compile("^https?://", re.IGNORECASE)
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST_PORT = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::(?P<port>[0-9]+))?")
_IP_PORT = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]:|(?P<v4>[0-9.]+):)(?P<port>\+?[0-9]*)")


def has_entry(listed: Iterable[str], entry: str) -> bool:
    """Whether the engine reads `entry` out of the list: it strips http:// and https:// and compares byte for byte."""
    return any(same(other, entry) for other in listed)


def same(other: str, entry: str) -> bool:
    """Whether the listed `other` means `entry` to the engine."""
    return _SCHEME.sub("", other) == entry


def is_plain(entry: str) -> bool:
    """Whether the engine's live list shows the entry letter by letter: it rewrites networks and leaves the hub out."""
    return _HOST_PORT.fullmatch(entry) is not None and accepted(entry) and not entry.endswith("docker.io")


def accepted(entry: str) -> bool:
    """Whether the engine takes the entry."""
    if entry.startswith("-") or entry.endswith("-"):
        return False
    entry = _SCHEME.sub("", entry, count=1)
    if "/" in entry:
        return _is_network(entry)
    match = _HOST_PORT.fullmatch(entry)
    if match is None:
        match = _IP_PORT.fullmatch(entry)
        if match is None or not _is_ip(match["v6"] or match["v4"]):
            return _is_ip(entry)
    return not match["port"] or int(match["port"][:9]) <= 65535


def _is_network(entry: str) -> bool:
    ip, _, length = entry.partition("/")
    return _is_ip(ip) and bool(re.fullmatch("[0-9]{1,3}", length)) and int(length) <= (128 if ":" in ip else 32)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
