"""Background processes of the laboratory: started apart from the tests, ended by their id."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


def spawn(argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> int:
    """Start a program in the background, both its streams appended to `log`; return its process id."""
    with log.open("ab") as stream:
        # A session of its own: Ctrl-C in the tests' terminal must not reach it before the cleaning up does.
        process = subprocess.Popen(
            list(argv), env=dict(env), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
    # Whoever ends it (a test, devreg itself) must see it vanish, not stay as an unreaped child of ours.
    threading.Thread(target=process.wait, daemon=True).start()
    return process.pid


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended but is not reaped yet counts as gone."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def end(pid: int, *, grace: float = 30) -> None:
    """Ask a process to end (SIGTERM), force it after `grace` seconds, and return once it is gone."""
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + seconds
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not alive(pid):
            return
    raise AssertionError(f"process {pid} outlives SIGKILL")


def naming(folder: Path, programs: tuple[str, ...]) -> Iterator[int]:
    """Yield the ids of processes whose program is one of `programs` (by prefix) and whose words name `folder`."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended while we looked
        if Path(words[0]).name.startswith(programs) and any(f"{folder}/" in word for word in words[1:]):
            yield int(entry.name)
