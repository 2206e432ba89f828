"""What a push leaves for the next step of a CI job: a file of digests, and GitHub's outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from devreg.host import files
from devreg.model.errors import ConfigUnusable
from devreg.model.results import Pushed

GITHUB = "GITHUB_OUTPUT"
_END = "devreg-end"  # what a line of the value never is


def write(pushed: Sequence[Pushed], digest_file: Path | None) -> list[ConfigUnusable]:
    """Write `digest_file`, a digest a line in the order of the references; and to the file of $GITHUB_OUTPUT `digest`
    (the first) and `references` (NAME@DIGEST, a line each). Where nothing is up, neither is touched.

    Returns why one could not be written: what is up is up all the same.
    """
    outputs, writes = os.environ.get(GITHUB), list[Callable[[], None]]()
    if digest_file is not None and pushed:
        writes.append(lambda: _write(digest_file, "".join(f"{each.digest}\n" for each in pushed)))
    if outputs and pushed:
        writes.append(lambda: files.append(Path(outputs), _outputs(pushed)))
    failed = []
    for write in writes:
        try:
            write()
        except ConfigUnusable as error:
            failed.append(error)
    return failed


def _write(path: Path, text: str) -> None:
    """A device or a pipe is written to: it is not to be replaced by a file."""
    if path.exists() and not path.is_file():
        files.append(path, text)
    else:
        files.write_atomic(path, text.encode())


def _outputs(pushed: Sequence[Pushed]) -> str:
    lines = [f"{each.reference.rpartition(':')[0]}@{each.digest}" for each in pushed]
    return f"digest={pushed[0].digest}\nreferences<<{_END}\n" + "\n".join(lines) + f"\n{_END}\n"
