"""What `registry install` and `registry uninstall` return. The names of fields are keys of the JSON contract."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Installed:
    """The registry as a service of systemd behind the machine's nginx. `address`: what names of images begin with.

    `files`: what was put in place. `password` is set only when it was generated now, to be shown once.
    """

    address: str
    unit: str
    files: tuple[str, ...]
    users: tuple[str, ...]
    changed: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Uninstalled:
    """What was taken away. `removed`, `restored` to what was there before, `kept`: paths of files; those that were kept
    somebody has edited, or they hold the users."""

    removed: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    volume: bool = False
    changed: bool = False
