"""What an nginx in front of a registry does, asked on this machine, whatever its name is and whoever vouches for it."""

from __future__ import annotations

import httpx

from devreg.model.challenge import chosen, parse_challenges
from devreg.model.errors import RegistryUnreachable, ServerError
from devreg.model.server import PUSHES, Listen
from devreg.model.wire import json_object

_READ = "/v2/_catalog?n=1"
_NONE, _SOME = 204, 409
_WRITE = "/v2/devreg-probe/blobs/uploads/"


def fault(listen: Listen, host: str, *, tls: bool, timeout: float) -> str | None:
    """What is wrong with it; None where anybody may read, all the way to the registry, and no stranger may write.

    `host`: the name that it is called by. The certificate is not verified: nothing secret is sent. `timeout`: seconds.
    """
    url = f"{'https' if tls else 'http'}://{listen.address}"
    with httpx.Client(
        base_url=url,
        headers={"Host": host, "User-Agent": "devreg"},
        verify=False,  # noqa: S501 - it is this machine that is asked, maybe by another name than the certificate's
        trust_env=False,
        timeout=timeout,
    ) as client:
        name = {"sni_hostname": host.rpartition(":")[0] or host} if tls else {}
        try:
            return _read(client.get(_READ, extensions=name)) or _write(client.post(_WRITE, extensions=name))
        except httpx.HTTPError as error:
            return f"{url} does not answer: {error}"


def pushes_under_way(checker: str, *, timeout: float) -> bool:
    """Whether nginx is at any request of a push, by what listens at `checker` for nginx itself. Raises ServerError."""
    try:
        answer = httpx.post(f"http://{checker}{PUSHES}", trust_env=False, timeout=timeout)
    except httpx.HTTPError as error:
        raise ServerError(
            f"nginx does not tell what is under way: {error}", hint="`devreg registry logs nginx` may say more"
        ) from error
    if answer.status_code not in (_NONE, _SOME):
        raise ServerError(
            f"nginx does not tell what is under way, but status {answer.status_code}",
            hint="`devreg registry up` brings its configuration up to date",
        )
    return answer.status_code == _SOME


def _read(response: httpx.Response) -> str | None:
    if response.status_code != 200:
        return f"a read without a password is answered with status {response.status_code}"
    try:
        found = json_object(response.content, "the list of repositories")
    except RegistryUnreachable as error:
        return error.message
    return None if "repositories" in found else "what answers there is no registry"


def _write(response: httpx.Response) -> str | None:
    challenge = chosen(parse_challenges(response.headers.get_list("WWW-Authenticate")))
    if response.status_code == 401 and challenge is not None:
        return None
    return f"a write without a password is answered with status {response.status_code} instead of a question for one"
