"""An upload over TLS that goes on as long as it is wanted to."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def slow_upload(where: tuple[str, int], context: ssl.SSLContext, location: str, authorization: str) -> Iterator[None]:
    """A request whose body takes as long as the block, and is answered by 202 at its end.

    `where`: host and port; `location`: the URL of an upload that was begun.
    """
    begun, done = threading.Event(), threading.Event()
    address, _, path = location.removeprefix("https://").partition("/")
    answers: list[bytes] = []

    def send() -> None:
        plain = socket.create_connection(where, timeout=60)
        with plain, context.wrap_socket(plain, server_hostname=where[0]) as line:
            line.sendall(
                f"PATCH /{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\n"
                "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            )
            while not done.wait(0.05):
                line.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
                begun.set()
            line.sendall(b"0\r\n\r\n")
            answers.append(line.recv(4096))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        assert begun.wait(30)
        yield
        assert sender.is_alive(), "the upload was dropped"
    finally:
        done.set()
        sender.join(60)
    assert answers[0].startswith(b"HTTP/1.1 202 "), answers
