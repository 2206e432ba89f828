"""A stand-in for dockerd: a real process of that name behind a real unix socket, without containers."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from devreg.host.run import detach

SCRIPT = """
import os, signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
path = sys.argv[1]
if os.path.exists(path):
    os.unlink(path)
signal.signal(signal.SIGHUP, lambda *_: print("reloaded", flush=True))
listener.bind(path)
listener.listen()
print("up", os.environ.get("MARK"), flush=True)
while True:
    listener.accept()
"""


@pytest.fixture
def dockerd(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Start a stand-in as an orphan and return its socket.

    With `child=True` it is a child of the test, with `daemon=True` one of a parent that has become a daemon itself.
    Its arguments come after the socket's path; its words go to the file `log` beside the socket.
    """
    program = tmp_path / "dockerd"
    program.symlink_to(Path(sys.executable).resolve())  # the kernel names a process after the file that was run
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    path = tmp_path / "s"
    children: list[subprocess.Popen[bytes]] = []

    def start(*flags: str, child: bool = False, daemon: bool = False) -> Path:
        argv = [str(program), str(script), str(path), *flags]
        if child:
            children.append(subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.DEVNULL))
        elif daemon:
            # The first process of the session ends; the second, its parent no more, waits for dockerd.
            parent = ["sh", "-c", '("$@"; true) >/dev/null 2>&1 &', "sh", *argv]
            subprocess.run(parent, cwd=tmp_path, check=True, start_new_session=True)
        else:
            detach(argv, log=tmp_path / "log", cwd=tmp_path, env={"MARK": "kept"})
        await_listener(path)
        return path

    yield start
    for process in psutil.process_iter(["cmdline"]):
        if str(script) in (process.info["cmdline"] or ()):
            process.kill()
    for opened in children:
        opened.wait()


def await_listener(path: Path) -> None:
    """Return once somebody listens at `path`."""
    import socket

    deadline = time.monotonic() + 10
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        assert time.monotonic() < deadline
        time.sleep(0.005)
        time.sleep(0.02)
