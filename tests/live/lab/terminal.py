"""A program at a terminal of its own, and somebody who types."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 60
_CONTROL = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[\[?][0-9;?>=]*[a-zA-Z]|\x1b[()=>].?|[\r\x0f]")


@dataclass
class Terminal:
    """The screen's end of a terminal. `seen`: all that was ever written to it, without control characters."""

    end: int
    seen: str = ""

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.end, keys.encode())

    def until(self, pattern: str) -> re.Match[str]:
        """Wait until the pattern has been written since the last wait; what comes after it is left for the next."""
        written, latest = "", time.monotonic() + _SECONDS
        while time.monotonic() < latest:
            if found := re.search(pattern, _CONTROL.sub("", written)):
                return found
            if select.select([self.end], [], [], 0.2)[0]:
                written += os.read(self.end, 65536).decode(errors="replace")
                self.seen += _CONTROL.sub("", written)
        raise AssertionError(f"{pattern!r} was not written within {_SECONDS} s, but {written!r}")


@contextmanager
def terminal(*argv: str, env: Mapping[str, str], folder: Path) -> Iterator[Terminal]:
    """Run a program at a terminal, in an environment of its own; it is killed at the end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    process = _start(argv, env, folder, theirs)
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _start(argv: Sequence[str], env: Mapping[str, str], folder: Path, end: int) -> subprocess.Popen[bytes]:
    # setsid makes the terminal the shell's own, so that it does as it does for a person.
    return subprocess.Popen(
        ["setsid", "--ctty", *argv], stdin=end, stdout=end, stderr=end, env={**env, "TERM": "xterm"}, cwd=folder
    )
