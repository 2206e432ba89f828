"""A TCP line to a server that can be held at a byte: whatever a test does to one end happens in the middle for sure."""

from __future__ import annotations

import socket
import socketserver
from contextlib import suppress
from threading import Condition, Thread
from types import TracebackType
from typing import Literal

PIECE = 65536
HELD_SECONDS = 60


class Gate:
    """Passes connections on to `port` of this machine, at `address`. `passed`: bytes that went its `way`, all together:
    `up` to the server, or `down` from it."""

    def __init__(self, port: int, way: Literal["up", "down"] = "up") -> None:
        self.upstream = ("127.0.0.1", port)
        self.passed = 0
        self.way = way
        self._limit: int | None = None
        self._is_broken = False
        self._holding = 0
        self._changed = Condition()
        self._server = _Server(("127.0.0.1", 0), _Line)
        self._server.gate = self
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def hold_after(self, amount: int) -> None:
        """Let so many bytes more pass, and then nothing until `open` is called."""
        with self._changed:
            self._limit = self.passed + amount

    def wait(self) -> None:
        """Return once all bytes that may pass have passed."""
        with self._changed:
            held = self._changed.wait_for(lambda: self.passed == self._limit, HELD_SECONDS)
        assert held, f"only {self.passed} bytes came, of {self._limit}"

    def open(self) -> None:
        """Let everything pass."""
        with self._changed:
            self._limit = None
            self._changed.notify_all()

    def break_off(self) -> None:
        """Lose what is held, and the connections; later ones pass again."""
        with self._changed:
            self._is_broken = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._holding, HELD_SECONDS)
            self._is_broken, self._limit = False, None

    def allowed(self, amount: int) -> int:
        """How many of `amount` bytes may pass; waits until it is one at least. Raises OSError for those that break."""
        with self._changed:
            self._holding += 1
            self._changed.wait_for(lambda: self._is_broken or self._limit is None or self.passed < self._limit)
            self._holding -= 1
            if self._is_broken:
                self._changed.notify_all()
                raise OSError("broken off")
            if self._limit is not None:
                amount = min(amount, self._limit - self.passed)
            self.passed += amount
            self._changed.notify_all()
            return amount


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100
    gate: Gate

    def handle_error(self, request: object, client_address: object) -> None:
        """Ends that break off are what this is for."""


class _Line(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            upstream = socket.create_connection(self.server.gate.upstream)
        except OSError:  # the server is away: its clients are to see that
            return
        with upstream:
            back = Thread(target=self._copy, args=(upstream, self.request, "down"))
            back.start()
            self._copy(self.request, upstream, "up")
            back.join()

    def _copy(self, source: socket.socket, target: socket.socket, way: str) -> None:
        try:
            while data := source.recv(PIECE):
                while data:
                    amount = self.server.gate.allowed(len(data)) if way == self.server.gate.way else len(data)
                    target.sendall(data[:amount])
                    data = data[amount:]
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for line in (source, target):
                with suppress(OSError):  # it has ended already
                    line.shutdown(socket.SHUT_RDWR)
