"""A unix socket offered by TCP: an engine on this machine looks like one on another."""

import socket
import socketserver
from pathlib import Path
from threading import Thread


def relay_to(path: Path) -> type[socketserver.BaseRequestHandler]:
    """Return a handler that joins each connection to the unix socket `path`."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as line:
                line.connect(str(path))
                back = Thread(target=_copy, args=(line, self.request))
                back.start()
                _copy(self.request, line)
                back.join()

    return Relay


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one side hung up
