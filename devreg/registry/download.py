"""A blob on its way here, as Content: nobody has to have room for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from devreg.model.errors import RegistryUnreachable
from devreg.model.manifest import Descriptor
from devreg.model.wire import unusable
from devreg.registry.deadline import ENOUGH, MAX_SECONDS, Pace, allow
from devreg.registry.retries import PASSING, Patience
from devreg.registry.session import Session


class Download:
    """The bytes of a blob as a registry has it. See model.content.Content."""

    def __init__(self, session: Session, repository: str, path: str, descriptor: Descriptor) -> None:
        self._session = session
        self._doing = f"read a blob of {repository}"
        self._path = path
        self.digest = descriptor.digest
        self.size = descriptor.size

    def read(self, offset: int) -> Iterator[bytes]:
        """Goes on after broken connections, until half a dozen tries in a row have brought nothing, and as long as the
        pace is kept.

        What was read from the first byte on is compared with the digest. Raises RegistryUnreachable, NotAuthorized and
        NotFound.
        """
        kind, _, wanted = self.digest.partition(":")
        digest = hashlib.new(kind) if offset == 0 else None
        pace = Pace()
        for piece in pace.of(self._pieces(offset, pace)):
            if digest is not None:
                digest.update(piece)
            yield piece
        if digest is not None and digest.hexdigest() != wanted:
            raise unusable(f"its content is not what {self.digest} promises")

    def _pieces(self, at: int, pace: Pace) -> Iterator[bytes]:
        patience = Patience()
        while at < self.size:
            try:
                for piece in self._from(at, pace):
                    at += len(piece)
                    patience.renew()
                    yield piece
                if at < self.size:
                    raise unusable(f"a blob of {self.size} bytes ends after {at}")
            except RegistryUnreachable as error:
                if pace.left <= 0:
                    raise _too_slow(at, self.size) from error
                if not isinstance(error.__cause__, PASSING) or not patience.wait(None):
                    raise

    def _from(self, at: int, pace: Pace) -> Iterator[bytes]:
        """The bytes from `at` on, until the connection breaks. A registry that knows no ranges begins anew."""
        headers = {"Range": f"bytes={at}-"} if at else {}
        with self._session.stream(self._path, doing=self._doing, headers=headers) as response:
            past = 0 if response.status_code == 206 else at
            left = self.size - at
            allow(response, pace.left)
            for piece in response.iter_raw():
                fresh = piece[past:]
                past -= len(piece) - len(fresh)
                if len(fresh) > left:
                    raise unusable(f"a blob of {self.size} bytes does not end there")
                left -= len(fresh)
                if fresh:
                    yield fresh
                allow(response, pace.left)


def _too_slow(at: int, size: int) -> RegistryUnreachable:
    return RegistryUnreachable(
        f"a blob comes too slowly: {at} of its {size} bytes are here, and the last {MAX_SECONDS:.0f} seconds brought "
        f"less than {ENOUGH // 1024} KiB",
        hint="look at the network, and at what stands between (proxy, storage)",
    )
