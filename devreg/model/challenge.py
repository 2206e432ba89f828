"""What a registry asks for in a 401: the header `WWW-Authenticate` (RFC 9110, section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.request import parse_http_list

_START = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)(?:\s+(.*))?", re.DOTALL)
_PARAMETER = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)\s*=\s*([^=].*)?", re.DOTALL)


@dataclass(frozen=True)
class Challenge:
    """One way to prove oneself. `scheme` and the names of parameters are in lower case."""

    scheme: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether devreg can answer it: Basic, or Bearer that says where the tokens are."""
        return self.scheme == "basic" or (self.scheme == "bearer" and bool(self.parameters.get("realm")))


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Read every challenge in the values of all `WWW-Authenticate` headers; what makes no sense is left out."""
    challenges: list[Challenge] = []
    for part in (part for value in values for part in parse_http_list(value)):
        parameter = _PARAMETER.fullmatch(part)
        if parameter is None:
            start = _START.fullmatch(part)
            if start is None:
                continue
            challenges.append(Challenge(start[1].lower()))
            parameter = _PARAMETER.fullmatch(start[2] or "")
        if parameter is not None and challenges:
            challenges[-1].parameters.setdefault(parameter[1].lower(), _unquoted(parameter[2] or ""))
    return tuple(challenges)


def chosen(challenges: Iterable[Challenge]) -> Challenge | None:
    """The challenge to answer: Bearer before Basic, as engines choose; None when none is usable."""
    usable = [challenge for challenge in challenges if challenge.usable]
    return min(usable, key=lambda challenge: challenge.scheme != "bearer", default=None)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text
