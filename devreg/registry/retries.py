"""How often a write is tried again: after growing pauses, or those that the registry asks for, a minute in all."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from devreg.model.errors import RegistryUnreachable
from devreg.registry.refusals import is_full
from devreg.registry.transport import RETRY

PASSING = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.TimeoutException)
"""What may be over at the next try."""

WRITING = RETRY.copy_with(
    total=6,
    allowed_methods=("POST", "PUT"),
    status_forcelist=(408, 429, 500, 502, 503, 504, 507),
    retry_on_exceptions=PASSING,
    backoff_factor=0.5,
)
"""For writes that may be done twice. Its pauses together are a minute at most."""

ONE_TRY = RETRY.copy_with(total=0)

_LONGEST = 60  # seconds


def passes(response: httpx.Response) -> bool:
    """Whether the same request may be answered otherwise a little later. Not where the disk is full: registries keep
    what was sent there, and further tries wait in vain."""
    return (response.status_code in (408, 429) or response.status_code >= 500) and not is_full(response)


class Patience:
    """The tries that are left to somebody who repeats a whole conversation, not a single request."""

    def __init__(self) -> None:
        self._retry = WRITING

    def renew(self) -> None:
        """There was progress: all tries are left again."""
        self._retry = WRITING

    def wait(self, response: httpx.Response | None) -> bool:
        """Sleep until the next try, as long as `response` asks for. False, at once, when there should be none."""
        if self._retry.is_exhausted() or _asked_for(response) > _LONGEST:
            return False
        self._retry = self._retry.increment()
        self._retry.sleep(response if response is not None else ConnectionError())
        return True


def patiently(ask: Callable[[], httpx.Response], *, is_final: Callable[[httpx.Response], bool]) -> httpx.Response:
    """The first answer that another try would not change, or the last one. `ask` makes one try.

    `is_final`: whether an answer says so itself, whatever its status. Raises what `ask` does, at the last try.
    """
    patience = Patience()
    while True:
        try:
            response = ask()
        except RegistryUnreachable as error:
            if not isinstance(error.__cause__, PASSING) or not patience.wait(None):
                raise
            continue
        if not passes(response) or is_final(response) or not patience.wait(response):
            return response


def _asked_for(response: httpx.Response | None) -> float:
    try:
        return WRITING.parse_retry_after(response.headers["Retry-After"]) if response is not None else 0
    except (KeyError, ValueError, OverflowError):
        return 0
