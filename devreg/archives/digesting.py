"""A digest worked out beside the work on the bytes."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

_AHEAD = 4  # pieces that are held for it


class Digesting:
    """The sha256 of pieces that are told one after the other; a thread of its own does the sums."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        self._waiting: deque[Future[None]] = deque()

    def update(self, piece: bytes | memoryview) -> None:
        """Go on with `piece`, which must not change. Waits while several pieces before it are not done."""
        self._waiting.append(self._thread.submit(self._sum.update, piece))
        if len(self._waiting) > _AHEAD:
            self._waiting.popleft().result()

    def finish(self) -> str:
        """The digest, with its algorithm, of all that was told. No more can be told then."""
        self._thread.shutdown()
        return f"sha256:{self._sum.hexdigest()}"
