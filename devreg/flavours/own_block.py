"""devreg's own part of somebody's text file: a block of lines that is put in whole and taken out whole.

Everything else in the file stays byte for byte. Whether the file then means what it should is for the caller to check.
"""

from __future__ import annotations

from pathlib import Path

from devreg.host.edits import Edit


def with_block(text: str, block: str) -> str:
    """`text` with `block`, which ends with a newline, after an empty line at its end."""
    newline = _newline(text)
    ended = text if not text or text.endswith("\n") else text + newline
    return ended + (newline if ended else "") + block.replace("\n", newline)


def without_block(text: str, block: str) -> str:
    """`text` without `block` and the empty line before it; unchanged where the block is not in it as it was put in."""
    newline = _newline(text)
    lines = block.replace("\n", newline)
    if text.startswith(lines):
        return text[len(lines) :].removeprefix(newline)
    for gap in (newline, ""):
        if f"{newline}{gap}{lines}" in text:
            return text.replace(f"{newline}{gap}{lines}", newline, 1)
    return text.removeprefix(newline + lines)


def change(path: Path, before: bytes | None, after: str) -> tuple[Edit, ...]:
    """The edit that gives a file its new text; no file where nothing is left, () where nothing changes."""
    data = after.encode() if after.strip() else None
    return () if data == before or (data is None and not before) else (Edit(path, before, data),)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
