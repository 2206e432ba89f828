"""Whether the engine itself gets through to a registry, over the connection that its trust allows."""

from __future__ import annotations

import base64

import requests

from devreg.engine.client import Engine
from devreg.engine.errors import FOREIGN
from devreg.model.address import Address
from devreg.model.verdict import Reach, Verdict, verdict

# A repository that nobody has: the answer is the registry's "manifest unknown", and nothing is pulled.
_PROBE = "devreg-trust-probe:none"
# A registry that is there answers at once; an engine that dials into the void would try for a minute.
_SECONDS = 5
_NOBODY = base64.urlsafe_b64encode(b"{}").decode()


def reaches(engine: Engine, address: Address) -> Verdict:
    """Have the engine ask the registry for an image that does not exist, as a pull would (`GET /distribution`)."""
    api = engine.client.api
    url = f"{api.base_url}/v{api.api_version}/distribution/{address}/{_PROBE}/json"
    try:
        answer = api.get(url, headers={"X-Registry-Auth": _NOBODY}, timeout=_SECONDS)
        said = answer.json().get("message", "") if answer.status_code != requests.codes.ok else ""
    except requests.Timeout:
        return Verdict(Reach.UNREACHABLE, f"the engine got no answer within {_SECONDS} s")
    except (*FOREIGN, ValueError, AttributeError) as error:
        return Verdict(Reach.UNREACHABLE, str(error))
    return verdict(str(said)) if said else Verdict(Reach.ANSWERED)
