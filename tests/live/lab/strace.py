"""Killing a real program at each of its system calls that change files, one after the other."""

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.live.lab.run import need, run

CALLS = (
    *("openat", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "close"),
    *("rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "link", "symlink"),
    *("fchmod", "fchown", "chmod", "chown", "fsetxattr", "setxattr", "flock"),
)
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\(")
_WRITES = re.compile(r"O_(WRONLY|RDWR|CREAT)")
KILLED = -9

Command = Callable[[Sequence[str]], Sequence[str]]
"""A command line, given the program and the options under which it is to run."""


@dataclass(frozen=True)
class Call:
    """The `number`th call of that name in its process, counted from 1. `shown`: as strace shows it."""

    name: str
    number: int
    shown: str


def file_changes(command: Command, folders: Sequence[Path], log: Path) -> list[Call]:
    """Run a command to its end and return its calls that change something below `folders`, in their order."""
    run(*command(_strace(log)), check=False)
    counts: dict[tuple[str, str], int] = {}
    return [call for call in _calls(log, counts) if _changes(call, folders)]


def kill_at(call: Call, command: Command, log: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command that is killed with SIGKILL when it makes the call, before the call does anything."""
    return run(*command([*_strace(log), "-e", f"inject={call.name}:signal=KILL:when={call.number}"]), check=False)


def _strace(log: Path) -> list[str]:
    traced = ("-f", "-y", "-s", "0", "-e", f"trace={','.join(CALLS)}", "-e", "signal=none")
    return [need("strace", "strace"), *traced, "-o", str(log)]


def _calls(log: Path, counts: dict[tuple[str, str], int]) -> Iterator[Call]:
    for line in log.read_text().splitlines():
        found = _LINE.match(line)
        if found:
            key = (found["pid"], found["name"])
            counts[key] = counts.get(key, 0) + 1
            yield Call(found["name"], counts[key], line)


def _changes(call: Call, folders: Sequence[Path]) -> bool:
    inside = any(f"{folder}/" in call.shown or f'{folder}"' in call.shown for folder in folders)
    # Reading is no change, and what is closed was written before.
    return inside and call.name != "close" and (call.name != "openat" or _WRITES.search(call.shown) is not None)
