"""containerd's hosts.toml as text → text: how one registry is reached (containerd's docs/hosts.md, hosts.go).

containerd before 2.0 ignores the whole file when it has no `[host]` table; a host is asked before `server`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from devreg.flavours import own_block, toml_text
from devreg.model.address import Address


def trusts(data: bytes | None, address: Address, source: str) -> bool:
    """Whether the file lets the registry speak plain HTTP or unverified TLS. Raises ConfigUnusable."""
    return any(_is_insecure(url, host) for url, host in _endpoints(toml_text.parse(data, source), address))


def with_host(text: str, address: Address, *, tls: bool, source: str) -> str:
    """`text` with the registry trusted. Raises ConfigUnusable, with the line, for a file that verifies its TLS."""
    if not text.strip():
        return _whole(address, tls)
    before = toml_text.parse(text.encode(), source)
    if any(url == f"https://{address}" for url, _ in _endpoints({**before, "server": None}, address)):
        line = toml_text.line_of(text.encode(), f"https://{address}", str(address))
        raise toml_text.fault(source, line, f"{address} is to be verified here", "set skip_verify = true there")
    after = own_block.with_block(text, _host(address, tls))
    found = toml_text.parse(after.encode(), source)
    if _without(found, _url(address, tls)) != _without(before, None):
        line = toml_text.line_of(text.encode(), f"http://{address}")
        raise toml_text.fault(source, line, "`host` is not in tables of their own", "write each under [host.…]")
    return after


def without_host(text: str, address: Address, *, source: str) -> str:
    """`text` without the registry trusted, "" when there is nothing else. Raises ConfigUnusable, with the line, where
    it is trusted by other lines than devreg writes."""
    for tls in (False, True):
        before = toml_text.parse(text.encode(), source)
        rest = "" if text == _whole(address, tls) else own_block.without_block(text, _host(address, tls))
        if rest != text and (
            not rest or toml_text.parse(rest.encode(), source) == _without(before, _url(address, tls))
        ):
            text = rest
    if trusts(text.encode(), address, source):
        line = toml_text.line_of(text.encode(), *(f"{scheme}{address}" for scheme in ("http://", "https://", "")))
        raise toml_text.fault(source, line, f"{address} is trusted here, not by devreg", "take it out by hand")
    return text


def _url(address: Address, tls: bool) -> str:
    return f"{'https' if tls else 'http'}://{address}"


def _whole(address: Address, tls: bool) -> str:
    # The server is asked after all hosts; without one it would be the registry over verified TLS.
    skip = "skip_verify = true\n" if tls else ""
    return f'server = "{_url(address, tls)}"\n{skip}\n{_host(address, tls)}'


def _host(address: Address, tls: bool) -> str:
    skip = "  skip_verify = true\n" if tls else ""
    return f'[host."{_url(address, tls)}"]\n  capabilities = ["pull", "resolve", "push"]\n{skip}'


def _endpoints(settings: dict[str, Any], address: Address) -> Iterator[tuple[str, dict[str, Any]]]:
    """The URL and the settings of whatever in the file is the registry itself."""
    hosts = toml_text.tables(settings, "host")
    every = [*hosts.items(), *([(settings.get("server"), settings)] if "host" in settings else [])]
    for url, host in every:
        if isinstance(url, str) and isinstance(host, dict):
            bare = url.rstrip("/").removesuffix("/v2")
            bare = bare if bare.startswith("http") else f"https://{bare}"
            if bare in (f"http://{address}", f"https://{address}"):
                yield bare, host


def _is_insecure(url: str, host: dict[str, Any]) -> bool:
    pulls = {"pull", "resolve"} <= set(host.get("capabilities", ("pull", "resolve")))
    return pulls and (url.startswith("http://") or host.get("skip_verify") is True)


def _without(settings: dict[str, Any], url: str | None) -> dict[str, Any]:
    """The settings without one host, and without an empty table of hosts."""
    hosts = {key: value for key, value in toml_text.tables(settings, "host").items() if key != url}
    rest = {key: value for key, value in settings.items() if key != "host"}
    return {**rest, "host": hosts} if hosts else rest
