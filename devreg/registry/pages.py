"""Lists that come in pages (OCI distribution-spec, "Listing Tags"): each page names the next in a Link header."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import httpx

from devreg.model.errors import RegistryUnreachable
from devreg.model.wire import json_object, unusable
from devreg.registry.session import Session

PAGE_SIZES = (1000, 100)
"""Names to ask for; the second where the first is refused, as by Quay (measured). Registry 2.8 walks through all of its
repositories for each page: 10,000 of them take it 13 s by hundreds, 1.7 s by thousands (measured)."""

MAX_PAGES = 10_000
MAX_BYTES = 128 * 2**20
"""Of all pages: whoever wants a list whole has to have room for it. A million tags take a fifth of that."""

MAX_TAGS = 200_000
"""Of a repository. They are all held at once, with what is found of each: a kilobyte or so."""

_LONGEST = 160  # bytes of a name in a list that has a limit; registries take 128 for a tag

MAX_SECONDS = 900.0  # of waiting for pages; what is done between them takes as long as it takes

_COMPRESSED = {"Accept-Encoding": "gzip"}


def names(
    session: Session, path: str, key: str, *, doing: str, hint: str | None = None, most: int | None = None
) -> Iterator[str]:
    """The texts under `key` on every page of `path`, `most` of them; null is an empty list, as registries write it.

    They are whatever the registry says: one that is no name is for `output` to show inert, and hides no other.

    Raises what Session.send does, and RegistryUnreachable for a list that leads back to itself, does not end, or goes
    on after `most`.
    """
    begun: set[str] = set()
    patience, left = MAX_SECONDS + time.monotonic(), sys.maxsize if most is None else most
    room = min(MAX_BYTES, left * _LONGEST)
    response = _first(session, path, doing, hint)
    for _ in range(MAX_PAGES):
        patience -= time.monotonic()
        room -= len(response.content)
        page = _page(response.content, key)
        if patience < 0 or room < 0 or (page and page[0] in begun):
            break
        begun.update(page[:1])
        yield from page[:left]
        left -= len(page)
        if left < 0:
            raise _too_many(doing, most)
        link = response.links.get("next", {}).get("url")
        if not link:
            return
        patience += time.monotonic()
        url = session.follow(response, link)
        response = session.send("GET", url, doing=doing, hint=hint, headers=_COMPRESSED)
    raise unusable("the pages of its list do not end")


def _too_many(doing: str, most: int | None) -> RegistryUnreachable:
    return RegistryUnreachable(
        f"cannot {doing}: there are more than {most}, more than devreg holds at once",
        hint="name what you mean, as REPO:TAG: inspect, pull, copy and rm take that without the list",
    )


def _first(session: Session, path: str, doing: str, hint: str | None) -> httpx.Response:
    most, fewer = PAGE_SIZES
    response = session.ask("GET", f"{path}?n={most}", headers=_COMPRESSED)
    if response.status_code == 400:
        return session.send("GET", f"{path}?n={fewer}", doing=doing, hint=hint, headers=_COMPRESSED)
    if not response.is_success:
        raise session.refusal(response, doing=doing, hint=hint)
    return response


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
