"""Processes that are not devreg's children."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

_START_FIELD = 19  # of /proc/PID/stat behind the program's name, see proc(5)


def lives(pid: int) -> bool:
    """Whether the process is there and not a zombie: process 1 of many a container never collects the ended."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def titles(pid: int) -> dict[int, str]:
    """The processes below one by their ids: what each says that it is. Empty when it is not there."""
    found = {}
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has just ended
                found[process.pid] = " ".join(process.cmdline())
    return found


def started(pid: int) -> float:
    """When a process began, in seconds of the epoch by today's clock, to 0.01 s. Linux only. Raises OSError.

    psutil counts from the boot time, which the kernel tells in whole seconds.
    """
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[_START_FIELD])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - age
