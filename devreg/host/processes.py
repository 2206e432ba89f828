"""Processes that are not devreg's children."""

from __future__ import annotations

import psutil


def lives(pid: int) -> bool:
    """Whether the process is there and not a zombie: process 1 of many a container never collects the ended."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
