"""Lists that come in pages (OCI distribution-spec, "Listing Tags"): each page names the next in a Link header."""

from __future__ import annotations

import time
from collections.abc import Iterator

from devreg.model.wire import json_object, unusable
from devreg.registry.session import Session

PAGE_SIZE = 100  # Quay refuses more (measured)
MAX_PAGES = 10_000
MAX_SECONDS = 900.0  # of waiting for pages; what is done between them takes as long as it takes


def names(session: Session, path: str, key: str, *, doing: str, hint: str | None = None) -> Iterator[str]:
    """The texts under `key` on every page of `path`; null is an empty list, as registries write it.

    They are whatever the registry says: one that is no name is for `output` to show inert, and hides no other.

    Raises what Session.send does, and RegistryUnreachable for a list that leads back to itself or does not end.
    """
    url = session.origin.join(f"{path}?n={PAGE_SIZE}")
    begun: set[str] = set()
    patience = MAX_SECONDS
    for _ in range(MAX_PAGES):
        patience += time.monotonic()
        response = session.send("GET", url, doing=doing, hint=hint, headers={"Accept-Encoding": "gzip"})
        patience -= time.monotonic()
        page = _page(response.content, key)
        if patience < 0 or (page and page[0] in begun):
            break
        begun.update(page[:1])
        yield from page
        link = response.links.get("next", {}).get("url")
        if not link:
            return
        url = session.follow(response, link)
    raise unusable("the pages of its list do not end")


def _page(body: bytes, key: str) -> list[str]:
    values = json_object(body, "the list").get(key)
    if values is None:
        return []
    if not isinstance(values, list):
        raise unusable(f"{key} is not a list")
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) != len(values):
        raise unusable(f"{key} has something in it that is not a name")
    return texts
