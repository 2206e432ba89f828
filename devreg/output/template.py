"""`--format`: a line for each row, by a template such as `{name}\\t{digest}`."""

from __future__ import annotations

import dataclasses
import re
from string import Formatter

from devreg.model.errors import UsageError
from devreg.output.console import inert

_ESCAPES = {"t": "\t", "n": "\n", "\\": "\\"}
_SPEC = re.compile(r"(?:.?[<>=^])?[-+ ]?#?0?(?P<width>\d{0,4})[,_]?(?:\.\d{1,4})?[a-zA-Z%]?")


class Template:
    """A template for the rows of one kind, whose fields are the keys that `--json` has.

    `{name:<30}` pads as Python does, `{{` is a brace, `\\t` and `\\n` are a tab and a line end. Lists are joined by
    commas, what is unknown is empty. Raises UsageError that lists the fields for a template that cannot be filled in.
    """

    def __init__(self, text: str, kind: type) -> None:
        self._kinds = {field.name: str(field.type) for field in dataclasses.fields(kind)}
        self._text = re.sub(r"\\([tn\\])", lambda escape: _ESCAPES[escape[1]], text)
        try:
            parts = list(Formatter().parse(self._text))
        except ValueError as error:
            raise self._wrong(str(error)) from error
        self.fields = {name for _, name, _, _ in parts if name is not None}
        """Those that the template uses."""
        for _, name, spec, conversion in parts:
            if name is not None:
                self._check(name, spec or "", conversion)

    def line(self, row: object) -> str:
        """The template, filled in. Nothing that a registry says can move the cursor or end the line."""
        shown = {name: _Value(getattr(row, name)) for name in self.fields}
        return self._text.format_map(shown)

    def _check(self, name: str, spec: str, conversion: str | None) -> None:
        if name not in self._kinds:
            raise self._wrong(f"there is no {{{name}}}")
        sample = 0 if "int" in self._kinds[name] else ""
        try:
            if conversion or not _SPEC.fullmatch(spec):
                raise ValueError
            format(sample, spec)
        except ValueError:
            raise self._wrong(f"{{{name}}} cannot be written as {f'!{conversion}' if conversion else spec!r}") from None

    def _wrong(self, fault: str) -> UsageError:
        return UsageError(
            f"--format: {fault}",
            hint=f"fields are {', '.join(f'{{{each}}}' for each in self._kinds)}; {{name:<30}} pads, {{{{ is a brace",
        )


class _Value:
    """What `format` is given for a field."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __format__(self, spec: str) -> str:
        value = self._value
        if isinstance(value, int):
            return format(value, spec)
        if value is None:  # as wide, but no number: what the spec says of digits means nothing
            match = _SPEC.fullmatch(spec)
            return " " * int(match["width"] or 0) if match else ""
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        return format(inert(text), spec)
