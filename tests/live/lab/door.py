"""The way to a FaultProxy for any client: whoever tries TLS first is sent away at once, as by a server that has none,
and Go's clients, which keep their connections, make one for each request."""

from __future__ import annotations

import socket
import socketserver
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

_HANDSHAKE = 0x16
_RESET = struct.pack("ii", 1, 0)


@contextmanager
def door(port: int) -> Iterator[str]:
    """Pass connections on to `port` of this machine; the address to use instead of it."""
    with _Server(("127.0.0.1", 0), _Connection) as server:
        server.port = port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100
    port: int

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are expected."""


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self.request.recv(65536)
            if not piece or (head or piece)[0] == _HANDSHAKE:
                return
            head += piece
        with socket.create_connection(("127.0.0.1", self.server.port)) as upstream:
            # The first of two such headers counts.
            upstream.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            back = Thread(target=_copy, args=(upstream, self.request))
            back.start()
            _copy(self.request, upstream)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        _reset(source)
        _reset(target)


def _reset(line: socket.socket) -> None:
    """Break a connection so that its other end sees a reset, as it would without a door."""
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is broken already
    line.close()
