"""The one JSON document that `--json` prints. Keys are only ever added."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from devreg.model.errors import DevregError

SCHEMA = "devreg/1"


def success(
    command: str, data: object, *, changed: bool = False, ok: bool = True, errors: list[DevregError] | None = None
) -> None:
    """Print the result of a command. `data` is made of dataclasses, dicts, sequences and plain values."""
    _emit(command, ok, changed, data, [_error(error.code, error.message, error.hint) for error in errors or []])


def failure(command: str, code: str, message: str, hint: str) -> None:
    """Print why a command failed."""
    _emit(command, False, False, None, [_error(code, message, hint)])


def _emit(command: str, ok: bool, changed: bool, data: object, errors: list[dict[str, str]]) -> None:
    document = {
        "schema": SCHEMA,
        "command": command,
        "ok": ok,
        "changed": changed,
        "data": _plain(data),
        "errors": errors,
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _error(code: str, message: str, hint: str) -> dict[str, str]:
    return {"code": code, "message": message, "hint": hint}


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
