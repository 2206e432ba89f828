"""A blob on its way here, as Content: nobody has to have room for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from devreg.model.errors import RegistryUnreachable
from devreg.model.manifest import Descriptor
from devreg.model.wire import unusable
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
        """Goes on after broken connections, as long as each try brings something or half a dozen have brought nothing.

        What was read from the first byte on is compared with the digest. Raises RegistryUnreachable, NotAuthorized and
        NotFound.
        """
        kind, _, wanted = self.digest.partition(":")
        digest = hashlib.new(kind) if offset == 0 else None
        for piece in self._pieces(offset):
            if digest is not None:
                digest.update(piece)
            yield piece
        if digest is not None and digest.hexdigest() != wanted:
            raise unusable(f"its content is not what {self.digest} promises")

    def _pieces(self, at: int) -> Iterator[bytes]:
        patience = Patience()
        while at < self.size:
            try:
                for piece in self._from(at):
                    at += len(piece)
                    patience.renew()
                    yield piece
                if at < self.size:
                    raise unusable(f"a blob of {self.size} bytes ends after {at}")
            except RegistryUnreachable as error:
                if not isinstance(error.__cause__, PASSING) or not patience.wait(None):
                    raise

    def _from(self, at: int) -> Iterator[bytes]:
        """The bytes from `at` on, until the connection breaks. A registry that knows no ranges begins anew."""
        headers = {"Range": f"bytes={at}-"} if at else {}
        with self._session.stream(self._path, doing=self._doing, headers=headers) as response:
            past = 0 if response.status_code == 206 else at
            left = self.size - at
            for piece in response.iter_raw():
                fresh = piece[past:]
                past -= len(piece) - len(fresh)
                if len(fresh) > left:
                    raise unusable(f"a blob of {self.size} bytes does not end there")
                left -= len(fresh)
                if fresh:
                    yield fresh
