"""The content of a blob, wherever it comes from: what an upload reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Spent(Exception):
    """The bytes from an offset on cannot be had again: their source can be read once only."""


class Content(Protocol):
    """The bytes of one blob."""

    @property
    def digest(self) -> str | None:
        """The digest, None until it is known: at the latest when all has been read."""

    @property
    def size(self) -> int | None:
        """Bytes, None until known."""

    def read(self, offset: int) -> Iterator[bytes]:
        """The bytes from `offset` on, to the end. An iterator may be left in the middle and another be had.

        Raises Spent, and DevregError for a source that cannot be read or is not what it promises.
        """
