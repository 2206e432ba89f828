"""k3s' registries.yaml as text → text: one registry is put in or taken out, every other byte stays."""

from __future__ import annotations

from typing import Any

from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable

_HINT = "correct the file by hand; devreg has not touched it"


def parse(text: str, source: str) -> Any:
    """The settings, {} for none. Raises ConfigUnusable that names line and column, for duplicate keys too."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        settings: Any = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = (error.problem or error.context or "it is not valid YAML").splitlines()[0]
        raise _fault(source, line, what, column=column) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise _fault(source, 1, str(error).splitlines()[0]) from error
    if settings is None:
        return {}
    _refuse_other_types(settings, source)
    return settings


def insecure(settings: Any) -> tuple[str, ...]:
    """The registries among the settings that may speak plain HTTP or unverified TLS."""
    found = [name for name, mirror in (settings.get("mirrors") or {}).items() if f"http://{name}" in _endpoints(mirror)]
    for name, config in (settings.get("configs") or {}).items():
        tls = config.get("tls") if isinstance(config, dict) else None
        if isinstance(tls, dict) and tls.get("insecure_skip_verify") is True:
            found.append(name)
    return tuple(str(name) for name in dict.fromkeys(found))


def with_registry(text: str, address: Address, *, tls: bool, source: str) -> str:
    """`text` with the registry trusted. Raises ConfigUnusable, with the line, where somebody else says of it something
    that does not allow that."""
    before = parse(text, source)
    section = _section(tls)
    there = before.get(section)
    if there and str(address) in there:
        line = there.lc.key(str(address))[0] + 1
        raise _fault(source, line, f"{section} has {address} already", "add there: " + " ".join(_lines(address, tls)))
    if there is not None and there.fa.flow_style():
        raise _fault(source, there.lc.line + 1, f"`{section}` is in braces", "write it on lines of its own")
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += _newline(text)
    if section in before:
        place = before.lc.key(section)[0] + 1
        indent = there.lc.key(next(iter(there)))[1] if there else before.lc.key(section)[1] + 2
        new = [" " * indent + line for line in _lines(address, tls)]
    else:
        place = len(lines)
        new = [f"{section}:", *("  " + line for line in _lines(address, tls))]
    lines[place:place] = [line + _newline(text) for line in new]
    after = "".join(lines)
    if _without(parse(after, source), section, address) != _without(before, section, address):
        raise _fault(source, place, f"{address} cannot be added here", "add it by hand: " + " ".join(new))
    return after


def without_registry(text: str, address: Address, *, source: str) -> str:
    """`text` without the registry trusted, "" when there is nothing else. Raises ConfigUnusable, with the line, where
    it is trusted by other lines than devreg writes."""
    for tls in (False, True):
        text = _cut(text, address, tls, source)
    settings = parse(text, source)
    if str(address) in insecure(settings):
        places = [settings[s].lc.key(str(address))[0] for s in ("configs", "mirrors") if _says(settings, s, address)]
        raise _fault(source, places[0] + 1, f"{address} is trusted here, not by devreg", "take it out by hand")
    return text if settings or "#" in text else ""


def _refuse_other_types(settings: Any, source: str) -> None:
    if not isinstance(settings, dict):
        raise _fault(source, 1, "the settings must be a mapping, such as `mirrors:`")
    places: Any = settings
    for section in ("mirrors", "configs"):
        if not isinstance(settings.get(section) or {}, dict):
            raise _fault(source, places.lc.key(section)[0] + 1, f"`{section}` must be a mapping")


def _says(settings: Any, section: str, address: Address) -> bool:
    return str(address) in (settings.get(section) or {})


def _cut(text: str, address: Address, tls: bool, source: str) -> str:
    before, section = parse(text, source), _section(tls)
    if not _says(before, section, address):
        return text
    line, indent = before[section].lc.key(str(address))
    lines, own = text.splitlines(keepends=True), _lines(address, tls)
    end = line + len(own)
    if [each.rstrip("\r\n") for each in lines[line:end]] != [" " * indent + each for each in own]:
        return text
    start = line - 1 if len(before[section]) == 1 and lines[line - 1].strip() == f"{section}:" else line
    after = "".join(lines[:start] + lines[end:])
    return after if parse(after, source) == _without(before, section, address) else text


def _lines(address: Address, tls: bool) -> list[str]:
    if tls:
        return [f'"{address}":', "  tls:", "    insecure_skip_verify: true"]
    return [f'"{address}":', "  endpoint:", f'    - "http://{address}"']


def _section(tls: bool) -> str:
    return "configs" if tls else "mirrors"


def _endpoints(mirror: Any) -> list[str]:
    endpoints = mirror.get("endpoint") if isinstance(mirror, dict) else None
    return [str(url).rstrip("/").removesuffix("/v2") for url in endpoints] if isinstance(endpoints, list) else []


def _without(settings: Any, section: str, address: Address) -> dict[str, Any]:
    inside = {key: value for key, value in (settings.get(section) or {}).items() if key != str(address)}
    rest = {key: value for key, value in settings.items() if key != section}
    return {**rest, section: inside} if inside else rest


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _fault(source: str, line: int, what: str, hint: str = _HINT, *, column: int = 1) -> ConfigUnusable:
    return ConfigUnusable(f"{source}, line {line}, column {column}: {what}", hint=hint)
