"""TOML files of engines, read with every fault named by line and column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from devreg.model.daemon_json import decode
from devreg.model.errors import ConfigUnusable

HINT = "correct the file by hand; devreg has not touched it"


def parse(data: bytes | None, source: str) -> dict[str, Any]:
    """The settings in a file, {} where there is none. Raises ConfigUnusable that names line and column."""
    import tomlkit
    from tomlkit.exceptions import KeyAlreadyPresent, ParseError, TOMLKitError

    text = decode(data or b"", source)
    try:
        return tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        what = str(error).partition(" at line")[0]
        if isinstance(error, KeyAlreadyPresent) or "already exists" in what:
            raise fault(source, _line_of_duplicate(text), f"it is there twice: {what}") from error
        line, column = (error.line, error.col + 1) if isinstance(error, ParseError) else (1, 1)
        raise fault(source, line, what, column=column) from error
    except RecursionError as error:
        raise ConfigUnusable(f"{source} is nested too deeply", hint=HINT) from error


def fault(source: str, line: int, what: str, hint: str = HINT, *, column: int = 1) -> ConfigUnusable:
    """The error for a file that cannot be used because of what stands in one of its lines."""
    return ConfigUnusable(f"{source}, line {line}, column {column}: {what}", hint=hint)


def line_of(data: bytes | None, *names: str) -> int:
    """The number of the first line, comments aside, that has one of the names in quotes; 1 where there is none."""
    quoted = [f"{quote}{name}{quote}" for name in names for quote in "\"'"]
    lines = enumerate(_lines(data), 1)
    return next((n for n, line in lines if not line.lstrip().startswith("#") and any(q in line for q in quoted)), 1)


def tables(settings: dict[str, Any], *path: str) -> dict[str, Any]:
    """The table at the path; {} where there is none or something else."""
    found: Any = settings
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _line_of_duplicate(text: str) -> int:
    """The last line of the shortest beginning of the text that has the fault: tomlkit does not say where it is."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    beginning = ""
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        beginning += line
        try:
            tomlkit.parse(beginning)
        except TOMLKitError as error:
            if "already exists" in str(error):
                return number
    return 1


def _lines(data: bytes | None) -> Iterator[str]:
    yield from (data or b"").decode(errors="replace").splitlines()
