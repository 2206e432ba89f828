"""Origins: which server a URL is for. Secrets stay with the origin they are for."""

from __future__ import annotations

import httpx

from devreg.model.wire import unusable

_PORTS = {"http": 80, "https": 443}


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether scheme, host and port are the same (RFC 6454, section 5)."""
    return _origin(one) == _origin(other)


def shown(url: httpx.URL) -> str:
    """The origin for a message: never the query, which may carry a signature, nor a user name."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"


def at_origin(origin: httpx.URL, asked: httpx.URL, target: str) -> httpx.URL:
    """The URL that a registry's Link or Location means: path and query of `target`, seen from `asked`, at `origin`.

    Behind a proxy these headers often carry the wrong scheme or host (measured), and a hostile one would carry
    another's: so whatever host they name, the registry itself is asked. Raises RegistryUnreachable for no URL at all.
    """
    try:
        return origin.copy_with(raw_path=asked.join(target).raw_path)
    except (httpx.InvalidURL, ValueError) as error:
        raise unusable("it leads to something that is not a URL") from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme)
