"""A manifest or a config, as the registry has it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Body:
    """The bytes of a manifest or a config, their type, and the digest that they were checked against."""

    content: bytes = field(repr=False)
    media_type: str
    digest: str
