"""The proxy for a URL, by the environment: HTTP_PROXY, HTTPS_PROXY, NO_PROXY."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

import httpx

from devreg.model.address import Address
from devreg.model.errors import UsageError


def proxy_for(url: httpx.URL) -> str | None:
    """The proxy's URL, None for none. This machine is always asked directly, as engines do (Go's net/http).

    Raises UsageError for a proxy that is not spoken to over HTTP; its URL, which may have a password, is not repeated.
    """
    if Address(url.host).is_loopback or proxy_bypass(url.netloc.decode("ascii")):
        return None
    proxy = getproxies().get(url.scheme)
    if not proxy:
        return None
    if "://" not in proxy:
        return f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        raise UsageError(
            f"the proxy in {url.scheme.upper()}_PROXY is not an HTTP proxy",
            hint=f"name one that starts with http://, or add {url.host} to NO_PROXY",
        )
    return proxy
