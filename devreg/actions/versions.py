"""Tags as versions (semver.org), as generously as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from semver import Version

# A leading v, minor and patch may be left out, numbers may have leading zeros as in 2024.05.01, and build metadata
# follows `_`, since a tag cannot have the `+` of a version (Helm does the same).
_VERSION = re.compile(
    r"[vV]?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:_[0-9A-Za-z.-]+)?", re.ASCII
)
_LONG_NUMBER = re.compile(r"\d{6,}", re.ASCII)
_LONGEST_TAG = 128


def version_key(tag: str) -> Version | None:
    """The version that a tag names, to compare it by; None for a tag such as `latest` that names none."""
    from semver import Version  # here, since most listings are sorted by time

    match = _VERSION.fullmatch(tag) if len(tag) <= _LONGEST_TAG else None
    if match is None:
        return None
    return Version(int(match[1]), int(match[2] or 0), int(match[3] or 0), prerelease=match[4])


def newest(tags: Iterable[str]) -> str | None:
    """The tag of the highest version, None where none is a version. Pre-releases count where there is nothing else.

    After those come lone long numbers, which may be dates, builds or commits: 20240506. Of several names of a version
    it is the most explicit: 1.10.0 rather than 1.10.
    """
    versions = [(version, tag.count("."), tag) for tag in tags if (version := version_key(tag)) is not None]
    likely = [each for each in versions if not _LONG_NUMBER.fullmatch(each[-1])]
    released = [each for each in likely if not each[0].prerelease]
    return max(released or likely or versions)[-1] if versions else None
