"""What a command shows on a terminal of 80 columns, as a picture."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 80, 50


def on_terminal(words: Sequence[str]) -> str:
    """All that a program writes to its terminal, with the codes for colours. It has to end well."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        written = bytearray()
        while piece := _read(ours):
            written += piece
        os.close(ours)
    assert process.returncode == 0, written.decode()
    return written.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    """The next bytes, or none at the end, which Linux tells as an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def picture(command: str, written: str) -> str:
    """An SVG of a terminal in which `command` wrote that."""
    console = Console(file=io.StringIO(), record=True, width=COLUMNS, color_system="truecolor", force_terminal=True)
    console.print(Text(f"$ {command}", style="bold"))
    console.print(Text.from_ansi(written.rstrip("\n")), soft_wrap=True)
    return console.export_svg(title="devreg", unique_id=command.replace(" ", "-").replace("/", "-"))
