"""Write one setting into the user's config.toml."""

from __future__ import annotations

from pathlib import Path

from devreg import settings
from devreg.host.files import write_atomic
from devreg.model.errors import ConfigUnusable


def set_value(file: Path, key: str, value: str) -> bool:
    """Set `key` in `file`, made if need be. False when it said so before. Raises UsageError, ConfigUnusable."""
    try:
        before = file.read_text() if file.exists() else ""
        after = settings.with_value(before, key, value)
        if after == before:
            return False
        file.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigUnusable(f"{file} cannot be changed: {error}", hint="mend its permissions or remove it") from error
    write_atomic(file, after.encode())
    return True
