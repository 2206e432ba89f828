"""Whether the engine itself gets through to a registry, over the connection that its trust allows."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import requests

from devreg.engine.client import Engine
from devreg.engine.errors import FOREIGN
from devreg.model.address import Address
from devreg.model.verdict import Reach, Verdict, verdict

# A repository that nobody has: the answer is the registry's "manifest unknown", and nothing is pulled.
_REPOSITORY, _TAG = "devreg-trust-probe", "none"
# A registry that is there answers at once; an engine that dials into the void would try for a minute.
_SECONDS = 5
_AUTH = "X-Registry-Auth"
_NOBODY = base64.urlsafe_b64encode(b"{}").decode()


# What the answer to a plain HTTP request on a TLS port says: nginx's, and Go's own server's.
_FALLEN_BACK = ("sent to https port", "http request to an https server")
# A pull quotes the status alone.
_TO_TLS_PORT = "400 bad request"


def reaches(engine: Engine, address: Address) -> Verdict:
    """Have the engine ask the registry for an image that does not exist: first as `GET /distribution`, which is quick
    and says most; then, where that says nothing of a pull, by a pull.

    docker 26.1 with the containerd image store falls back to plain HTTP in the former, whether TLS would have worked
    or not (measured); its pulls do not.
    """
    found = _asked(_distribution(engine, address))
    if not any(sign in found.words.lower() for sign in _FALLEN_BACK):
        return found
    pulled = _asked(_pull(engine, address))
    # It has tried TLS, did not get through (a client's certificate may be missing), and has fallen back here too.
    refused = pulled.reach is Reach.STRANGER and _TO_TLS_PORT in pulled.words.lower()
    return Verdict(Reach.REFUSED, pulled.words) if refused else pulled


def _distribution(engine: Engine, address: Address) -> Callable[[], requests.Response]:
    api = engine.client.api
    url = f"{api.base_url}/v{api.api_version}/distribution/{address}/{_REPOSITORY}:{_TAG}/json"
    return lambda: api.get(url, headers={_AUTH: _NOBODY}, timeout=_SECONDS)


def _pull(engine: Engine, address: Address) -> Callable[[], requests.Response]:
    api = engine.client.api
    wanted = {"fromImage": f"{address}/{_REPOSITORY}", "tag": _TAG}
    url = f"{api.base_url}/v{api.api_version}/images/create"
    return lambda: api.post(url, params=wanted, headers={_AUTH: _NOBODY}, timeout=_SECONDS)


def _asked(ask: Callable[[], requests.Response]) -> Verdict:
    try:
        said = _words(ask())
    except requests.Timeout:
        return Verdict(Reach.UNREACHABLE, f"the engine got no answer within {_SECONDS} s")
    except (*FOREIGN, ValueError, AttributeError) as error:
        return Verdict(Reach.UNREACHABLE, str(error))
    return verdict(said) if said else Verdict(Reach.ANSWERED)


def _words(answer: requests.Response) -> str:
    """What the engine says went wrong, empty for nothing. A pull that has begun says it in its last line.

    Raises ValueError and AttributeError for what makes no sense.
    """
    if answer.status_code != requests.codes.ok:
        return str(answer.json().get("message", ""))
    lines = answer.text.splitlines()
    return str(json.loads(lines[-1]).get("error", "")) if lines else ""
