"""Rows of a listing: repositories and tags, as `--json` and `--format` have them.

Sizes in bytes; times as RFC 3339 UTC text; digests with their algorithm. Field names are keys of the JSON contract.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from devreg.model.errors import RegistryUnreachable

MAX_HELD = 200_000
"""Repositories that are held at once, for one document or one table. Names alone are printed as they come."""


@dataclass(frozen=True)
class Repository:
    """A repository of a registry. Without details only its name is known.

    `size`: bytes that are stored for all tags, those that they share counted once. `updated`: when the newest was made.
    `error`: why some of this could not be read.
    """

    name: str
    tags: int | None = None
    size: int | None = None
    updated: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Tag:
    """A tag, with what its manifest and config say.

    `size` counts compressed layers and configs, of all platforms of an index. `created` is None when unknown. `error`:
    why there is nothing to tell; then only the names are set. A row without a name stands for a whole repository that
    could not be read. `also`: other tags of the same digest. `referrers`: how many signatures, SBOMs and the like refer
    to it, None when unknown.
    """

    repository: str
    name: str
    digest: str | None = None
    size: int | None = None
    created: str | None = None
    platforms: tuple[str, ...] = ()
    media_type: str | None = None
    error: str | None = None
    kind: Literal["image", "index", "schema1", "artifact"] | None = None
    also: tuple[str, ...] = ()
    referrers: int | None = None


def held(rows: Iterable[Repository]) -> list[Repository]:
    """All rows. Raises RegistryUnreachable for more than MAX_HELD."""
    found = list(islice(rows, MAX_HELD + 1))
    if len(found) > MAX_HELD:
        raise RegistryUnreachable(
            f"the registry lists more than {MAX_HELD} repositories, more than devreg holds at once",
            hint="list the names alone, without --details and --json, or fewer: --filter GLOB",
        )
    return found
