"""The one way the laboratory runs a program: a failure shows the command, its code and both streams."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Administration tools live here; the PATH of an ordinary login shell often leaves these folders out.
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def search_path(first: Path | None = None) -> str:
    """Return the PATH that programs get: `first` (if any), this process's own PATH, then the system folders."""
    own = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    return ":".join([*([str(first)] if first else []), own, SYSTEM_FOLDERS])


def need(program: str, package: str, first: Path | None = None) -> str:
    """Return the full path of `program`, or fail naming the Debian package that has it."""
    found = shutil.which(program, path=search_path(first))
    if found is None:
        raise AssertionError(f"the live tests need `{program}`: apt-get install {package}")
    return found


def run(
    *argv: str | Path,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    timeout: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and return what it did.

    `env` is laid over this process's environment. Without `input` the program reads nothing, not the terminal.
    With `check`, a code other than 0 is an AssertionError.
    """
    words = [str(word) for word in argv]
    environment = {**os.environ, "PATH": search_path(), **(env or {})}
    try:
        done = subprocess.run(
            words, input=input or "", env=environment, timeout=timeout, capture_output=True, text=True, errors="replace"
        )
    except FileNotFoundError as error:
        raise AssertionError(f"no such program: {words[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise AssertionError(_report(words, f"not done after {timeout} s", error.stdout, error.stderr)) from error
    if check and done.returncode != 0:
        raise AssertionError(_report(words, f"code {done.returncode}", done.stdout, done.stderr))
    return done


def _report(words: list[str], ending: str, stdout: str | bytes | None, stderr: str | bytes | None) -> str:
    # A timeout hands over what was read so far as bytes, even in text mode.
    shown = [text.decode(errors="replace") if isinstance(text, bytes) else text or "" for text in (stdout, stderr)]
    return f"{' '.join(words)}\n-> {ending}\n--- stdout\n{shown[0]}\n--- stderr\n{shown[1]}"
