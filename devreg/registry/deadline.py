"""Deadlines for answers, of which httpx has none: its time-outs are for each wait, which any byte ends.

A server that sends `102 Processing`, or a byte of a header, every few seconds would hold us for ever. So the stream
below httpx counts: the head of an answer, early ones included, has the time-out of one wait; what follows has what
`allow` says. An answer that may be long has no such end; instead it has to keep a pace.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore
import httpx

MAX_SECONDS = 300.0
"""For the rest of a small answer, and for the next ENOUGH bytes of a long one."""

ENOUGH = 256 * 2**10
"""Bytes. Somewhat less than 1 kB/s: no network in use is as slow."""


class BoundedTransport(httpx.HTTPTransport):
    """httpx' transport, over streams that have deadlines."""

    def __init__(self, *, verify: ssl.SSLContext, proxy: str | None) -> None:
        super().__init__(verify=verify, proxy=proxy)
        # httpcore's pools take a backend; httpx' transport hands none on.
        self._pool._network_backend = _Backend(self._pool._network_backend)


def allow(response: httpx.Response, seconds: float) -> None:
    """Give what is left of an answer so many seconds, from now on."""
    stream = response.extensions["network_stream"]
    if isinstance(stream, _Stream):  # what follows a 101 is none of HTTP's, and nobody reads it
        stream.due = time.monotonic() + seconds


class Pace:
    """Of an answer that may be long: ENOUGH bytes in MAX_SECONDS, again and again, from now on.

    What counts is the time that is spent waiting for it, whatever hinders it, and not what its pieces are used for.
    """

    def __init__(self) -> None:
        self._due = time.monotonic() + MAX_SECONDS
        self._came = 0

    @property
    def left(self) -> float:
        """The seconds until the next bytes are overdue; less than none when they are."""
        return self._due - time.monotonic()

    def of(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, counted. It is for who gets them to look at `left` meanwhile."""
        for piece in pieces:
            self._came += len(piece)
            if self._came >= ENOUGH:
                self._due, self._came = time.monotonic() + MAX_SECONDS, 0
            handed = time.monotonic()
            yield piece
            self._due += time.monotonic() - handed


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    """`due`: when all must have been read, in time.monotonic(); None for a request whose answer is not waited for yet.

    A handshake is one wait, whatever it takes: Python's ssl sees to that.
    """

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self.due: float | None = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        now, wait = time.monotonic(), math.inf if timeout is None else timeout
        if self.due is None:
            self.due = now + wait
        if self.due <= now:
            raise httpcore.ReadTimeout("the answer is overdue")
        wait = min(wait, self.due - now)
        return self._inner.read(max_bytes, None if wait == math.inf else wait)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.due = None
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
