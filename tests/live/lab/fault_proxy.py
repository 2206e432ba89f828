"""A TCP proxy before a registry, on which things go wrong: at a byte of a conversation, or at one of its requests."""

from __future__ import annotations

import socket
import socketserver
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Literal

Way = Literal["up", "down"]


@dataclass(frozen=True)
class Cut:
    """Both connections are reset once so many bytes have passed in one direction, all connections counted together."""

    way: Way
    after: int


@dataclass(frozen=True)
class Instead:
    """A request is answered with this status and these header lines, and nobody sees it. Its body is read in part."""

    status: int
    headers: str = ""


@dataclass(frozen=True)
class Lost:
    """A request is carried out, and its answer is dropped."""


@dataclass(frozen=True)
class Late:
    """A request is passed on so many seconds later."""

    seconds: float


Fault = Instead | Lost | Late


class FaultProxy:
    """Passes connections on to `port` of this machine. One request a connection: `requests` are their first lines.

    `cuts` are used up one after the other and are then `made`, `faults` are by the number of a request, from 0. Nothing
    goes wrong, nor is counted, before `arm` is called.
    """

    def __init__(self, port: int, *cuts: Cut, faults: Mapping[int, Fault] | None = None) -> None:
        self.upstream = ("127.0.0.1", port)
        self.faults = dict(faults or {})
        self.requests: list[str] = []
        self.passed: dict[Way, int] = {"up": 0, "down": 0}
        self.made: list[Cut] = []
        self._cuts = list(cuts)
        self._is_armed = False
        self._lock = Lock()
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.proxy = self
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def arm(self) -> None:
        """From now on things go wrong."""
        self._is_armed = True

    def take(self, line: str) -> Fault | None:
        """Note a request, and tell what happens to it."""
        if not self._is_armed:
            return None
        with self._lock:
            self.requests.append(line)
            return self.faults.get(len(self.requests) - 1)

    def allowed(self, way: Way, amount: int) -> tuple[int, bool]:
        """How many of `amount` bytes may pass, and whether the connection is cut after them."""
        if not self._is_armed:
            return amount, False
        with self._lock:
            cut = self._cuts[0] if self._cuts and self._cuts[0].way == way else None
            is_cut = cut is not None and self.passed[way] + amount >= cut.after
            if cut is not None and is_cut:
                amount = cut.after - self.passed[way]
                self.made.append(self._cuts.pop(0))
                self.passed = {"up": 0, "down": 0}
            else:
                self.passed[way] += amount
            return amount, is_cut


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    proxy: FaultProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are what this is for."""


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.request.recv(65536)
            if not piece:
                return
            head += piece
        fault = self.server.proxy.take(head.partition(b"\r\n")[0].decode())
        if isinstance(fault, Instead):
            self._answer(fault)
            return
        if isinstance(fault, Late):
            Event().wait(fault.seconds)
        # One request a connection, so that none has to be told from the next.
        head = head.replace(b"\r\nConnection: keep-alive\r\n", b"\r\nConnection: close\r\n", 1)
        with socket.create_connection(self.server.proxy.upstream) as upstream:
            back = Thread(target=self._copy, args=(upstream, self.request, "down", isinstance(fault, Lost)))
            back.start()
            if self._pass(head, upstream, "up"):
                self._copy(self.request, upstream, "up", False)
            back.join()

    def _answer(self, instead: Instead) -> None:
        lines = f"HTTP/1.1 {instead.status} X\r\nContent-Length: 0\r\nConnection: close\r\n{instead.headers}\r\n"
        self.request.sendall(lines.encode())
        self.request.shutdown(socket.SHUT_WR)
        while self.request.recv(65536):  # as proxies do: else the reset would overtake the answer
            pass

    def _copy(self, source: socket.socket, target: socket.socket, way: Way, is_lost: bool) -> None:
        try:
            while data := source.recv(65536):
                if is_lost:
                    _reset(self.request)
                elif not self._pass(data, target, way):
                    _reset(source)
                    return
            target.shutdown(socket.SHUT_WR)
        except OSError:
            _reset(source)
            _reset(target)

    def _pass(self, data: bytes, target: socket.socket, way: Way) -> bool:
        amount, is_cut = self.server.proxy.allowed(way, len(data))
        target.sendall(data[:amount])
        if is_cut:
            _reset(self.request)
            _reset(target)
        return not is_cut


def _reset(line: socket.socket) -> None:
    """Break a connection so that both its ends notice, whoever else is waiting on it here."""
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is broken already
    line.close()
