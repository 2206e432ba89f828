"""What refers to a manifest, as registries list it (OCI distribution-spec, "Listing Referrers")."""

from __future__ import annotations

import httpx

from devreg.model.manifest import OCI_INDEX, Descriptor, parse_manifest
from devreg.model.wire import digest_of, unusable
from devreg.registry.lane import Answer
from devreg.registry.session import Session

MAX_REFERRERS = 10_000
"""Of one manifest. Real ones have a handful."""

_NO_LIST = frozenset((400, 404, 405, 406, 501))
"""404 is what the spec asks of registries without the list; Artifactory answers 406 (go-containerregistry#1962), others
find the path or the method invalid."""


def listed(session: Session, path: str, *, doing: str) -> tuple[Descriptor, ...] | None:
    """Those that `path` lists, on all its pages, attestations included; None where the registry has no such list.

    Some registries answer 200 and something else for whatever path they do not know (oras-go#635). Raises what
    Session.read does, NotAuthorized above all, and RegistryUnreachable for a list that does not end.
    """
    answer = session.read("GET", path, doing=doing, kind="referrers", also=_NO_LIST)
    if answer.status in _NO_LIST or answer.headers.get("content-type", "").partition(";")[0].strip() != OCI_INDEX:
        return None
    found: dict[str, Descriptor] = {}
    while True:
        known = len(found)
        index = parse_manifest(answer.body, media_type=OCI_INDEX, digest=digest_of(answer.body))
        found.update((each.digest, each) for each in (*index.children, *index.attestations))
        page = _response(session, path, answer)
        link = page.links.get("next", {}).get("url")
        if not link:
            return tuple(found.values())
        if len(found) == known or len(found) > MAX_REFERRERS:
            raise unusable("the pages of its list do not end")
        path = session.follow(page, link).raw_path.decode("ascii")
        answer = session.read("GET", path, doing=doing, kind="referrers")


def _response(session: Session, path: str, answer: Answer) -> httpx.Response:
    """It, as httpx has it, which reads Link headers."""
    request = httpx.Request("GET", session.origin.join(path))
    return httpx.Response(answer.status, headers=list(answer.headers.items()), request=request)
