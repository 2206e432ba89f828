"""Work that devreg leaves to a process in the background: it outlives this one, and nobody ever sees it.

It has no terminal, no streams and no screen, so that nothing in it (a credential helper, ssh, gpg) can ask anything.
"""

from __future__ import annotations

import binascii
import fcntl
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from devreg.host.cache_file import cache_folder

# What leads to a screen, or to a program that shows questions there.
_ASKING = ("DISPLAY", "WAYLAND_DISPLAY", "GPG_TTY", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "SUDO_ASKPASS")
_NOBODY = {"DBUS_SESSION_BUS_ADDRESS": "disabled:"}  # keyrings that are locked ask over the bus
_STAMPS = 0x1000  # files at most; two kinds of work that share one only wait for each other


def begin(module: str, words: Sequence[str], *, every: float, folder: Path | None = None) -> bool:
    """Start `python -m MODULE WORDS...`, unless the same is under way or was begun within `every` seconds.

    `folder`: where that is noted, the user's cache folder by default. False where it was not started; where nothing
    can be noted it never is.
    """
    try:
        stamp = _claimed(folder or cache_folder(), words, every)
    except OSError:  # no home, no room, or the same work holds the stamp
        return False
    if stamp is None:
        return False
    try:
        _start([sys.executable, "-m", module, *words], stamp)
    finally:
        os.close(stamp)
    return True


def _claimed(folder: Path, words: Sequence[str], every: float) -> int | None:
    """The locked stamp of this work; None when it was begun lately. Raises OSError, also while it is under way."""
    name = f"refresh-{binascii.crc32(' '.join(words).encode()) % _STAMPS:03x}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(stamp, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(stamp)
        if found.st_size and abs(time.time() - found.st_mtime) < every:
            os.close(stamp)
            return None
        os.pwrite(stamp, b".", 0)
    except OSError:
        os.close(stamp)
        raise
    return stamp


def _start(argv: Sequence[str], stamp: int) -> None:
    """Start an orphan in a session of its own. It inherits the stamp, whose lock ends with it."""
    environment = {name: value for name, value in os.environ.items() if name not in _ASKING}
    # The shell between ends at once: process 1 adopts the program, which stands back for all others. In the root
    # folder, no module of the user's current one is taken for Python's or devreg's own. Not by `subprocess`: its import
    # takes longer than all of this.
    shell = ["/bin/sh", "-c", 'cd / && nice -n 19 "$@" &', "sh", *argv]
    silence = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in range(3)]
    os.set_inheritable(stamp, True)
    with suppress(OSError):
        pid = os.posix_spawn(shell[0], shell, {**environment, **_NOBODY}, file_actions=silence, setsid=True)
        os.waitpid(pid, 0)
