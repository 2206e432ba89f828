"""colima.yaml as text → text: one entry of `insecure-registries` under `docker` is put in or taken out, every other
byte stays. What colima writes and what people write on lines of their own is edited; the rest is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from devreg.model.daemon_json import KEY
from devreg.model.errors import ConfigUnusable
from devreg.model.insecure_entry import has_entry, same

_MAP = "docker"
_HINT = "correct the file by hand; devreg has not touched it"
_EMPTY = re.compile(r"(:)[ \t]*(?:\{[ \t]*\}|\[[ \t]*\]|null|~)?([ \t]*(?:#.*)?)$")


def parse(text: str, source: str) -> Any:
    """The settings, {} for none. Raises ConfigUnusable that names line and column, for duplicate keys and wrong types
    too."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        settings: Any = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        what = (error.problem or error.context or "it is not valid YAML").splitlines()[0]
        raise _fault(source, line, what, column=column) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise _fault(source, 0, str(error).splitlines()[0]) from error
    if settings is None:
        return {}
    _refuse_other_types(settings, source)
    return settings


def entries(settings: Any) -> tuple[str, ...]:
    """The list of insecure registries among parsed settings."""
    return tuple((settings.get(_MAP) or {}).get(KEY) or ())


def with_entry(text: str, entry: str, source: str) -> str:
    """`text` with `entry` in the list; unchanged when it is in already. Raises ConfigUnusable, with line and column,
    for settings that are not written on lines of their own."""
    before = parse(text, source)
    listed = entries(before)
    if has_entry(listed, entry):
        return text
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += _newline(text)
    place = len(lines)
    if _MAP not in before:
        new = [f"{_MAP}:", f"  {KEY}:", f'    - "{entry}"']
    elif KEY not in (docker := before[_MAP] or {}):
        place = _open(lines, before, _MAP, docker, source)
        indent = " " * (_place(docker, next(iter(docker)), source)[1] if docker else 2)
        new = [f"{indent}{KEY}:", f'{indent}  - "{entry}"']
    else:
        place = _open(lines, docker, KEY, docker[KEY], source)
        column = docker[KEY].lc.col if docker[KEY] else _place(docker, KEY, source)[1] + 2
        new = [" " * column + f'- "{entry}"']
    lines[place:place] = [line + _newline(text) for line in new]
    return _checked("".join(lines), before, [*listed, entry], source, place)


def without_entry(text: str, entry: str, source: str) -> str:
    """`text` without `entry` in the list; a list or map that gets empty goes. Raises ConfigUnusable as `with_entry`."""
    while has_entry(listed := entries(before := parse(text, source)), entry):
        docker = before[_MAP]
        key = _place(docker, KEY, source)[0]
        index = next(index for index, other in enumerate(listed) if same(other, entry))
        line = docker[KEY].lc.item(index)[0]
        lines = text.splitlines(keepends=True)
        if docker.fa.flow_style() or docker[KEY].fa.flow_style():
            raise _fault(source, line, f"{entry} is in brackets", "take it out by hand")
        del lines[line]
        if len(listed) == 1:
            del lines[key]
            if len(docker) == 1:
                head = _place(before, _MAP, source)[0]
                lines[head] = lines[head].replace(":", ": {}", 1)
        text = _checked("".join(lines), before, listed[:index] + listed[index + 1 :], source, line)
    return text


def _open(lines: list[str], parent: Any, key: str, value: Any, source: str) -> int:
    """The number of the line below `key`, whose map or list can take lines there. An empty one loses its braces."""
    line = _place(parent, key, source)[0]
    if value and (value.fa.flow_style() or parent.fa.flow_style()):
        raise _fault(source, line, f"`{key}` is in braces or brackets", "write it on lines of its own")
    if not value:
        ending = lines[line][len(lines[line].rstrip("\r\n")) :]
        lines[line] = _EMPTY.sub(r"\1\2", lines[line].rstrip("\r\n")) + ending
    return line + 1


def _checked(text: str, before: Any, wanted: Sequence[str], source: str, line: int) -> str:
    """`text`, if it means `before` with just the list `wanted`, in whatever order."""
    with suppress(ConfigUnusable):
        after = parse(text, source)
        if sorted(entries(after)) == sorted(wanted) and _others(after) == _others(before):
            return text
    raise _fault(source, line, f"`{KEY}` cannot be changed here", "change the list by hand; devreg has not touched it")


def _place(parent: Any, key: str, source: str) -> tuple[int, int]:
    """Line and column of a key, from 0."""
    found = (parent.lc.data or {}).get(key)
    if found is None:
        raise _fault(source, parent.lc.line, f"`{key}` comes from elsewhere in the file", "write it out")
    return int(found[0]), int(found[1])


def _others(settings: Any) -> dict[str, Any]:
    docker = {key: value for key, value in (settings.get(_MAP) or {}).items() if key != KEY}
    return {**settings, _MAP: docker}


def _refuse_other_types(settings: Any, source: str) -> None:
    if not isinstance(settings, dict):
        raise _fault(source, 0, "the settings must be a mapping, such as `docker:`")
    docker: Any = settings.get(_MAP)
    if docker is not None and not isinstance(docker, dict):
        raise _fault(source, _place(settings, _MAP, source)[0], f"`{_MAP}` must be a mapping")
    listed = (docker or {}).get(KEY)
    if listed is not None and not (isinstance(listed, list) and all(isinstance(each, str) for each in listed)):
        raise _fault(source, _place(docker, KEY, source)[0], f"`{KEY}` must be a list of strings")


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _fault(source: str, line: int, what: str, hint: str = _HINT, *, column: int = 0) -> ConfigUnusable:
    return ConfigUnusable(f"{source}, line {line + 1}, column {column + 1}: {what}", hint=hint)
