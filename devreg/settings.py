"""What devreg is told once instead of every time: flags > environment > config.toml (user, then site) > defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable, UsageError

FILE_NAME = "config.toml"


@dataclass(frozen=True)
class Setting:
    """One thing that can be set. `check` raises UsageError for a value that cannot mean anything."""

    key: str
    default: str
    check: Callable[[str], object]
    help: str

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return f"DEVREG_{self.key.upper()}"


@dataclass(frozen=True)
class Value:
    """A value and where it came from: `flag`, the variable's name, a file's path, or `default`."""

    key: str
    value: str
    source: str


def _seconds(text: str) -> float:
    """A positive number of seconds. Raises UsageError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86400:
        raise UsageError(f"{text!r} is not a number of seconds", hint="write a number above 0, such as 30")
    return seconds


def _addresses(text: str) -> tuple[str, ...]:
    """Addresses, as references spell them. Raises UsageError."""
    return tuple(str(Address.parse(each.strip())) for each in text.split(",") if each.strip())


def _listen(text: str) -> str:
    """Where a server listens. Raises UsageError."""
    from devreg.model.server import Listen

    return str(Listen.parse(text))


def _memory(text: str) -> int | None:
    """Bytes, None for no limit. Raises UsageError."""
    from devreg.model.server import memory

    return memory(text)


def _image(text: str) -> str:
    """An image's name. Raises UsageError."""
    from devreg.model.reference import Reference

    return str(Reference.parse(text))


SETTINGS = {
    setting.key: setting
    for setting in (
        Setting("registry", "127.0.0.1:5000", Address.parse, "the registry meant when none is named"),
        Setting("trusted", "", _addresses, "registries that devreg itself may use insecurely, separated by commas"),
        Setting("token_hosts", "", _addresses, "hosts that may get a registry's password for a token, by commas"),
        Setting("timeout", "30", _seconds, "seconds to wait for an answer of a registry"),
        Setting("listen", "127.0.0.1:5000", _listen, "where `registry up` is published"),
        Setting("registry_image", "registry:2", _image, "the image of the registry that `registry up` runs"),
        Setting("nginx_image", "nginx:stable-alpine", _image, "the image of the nginx in front of it"),
        Setting("memory", "1g", _memory, "what each container of the server may use; `none` for no limit"),
    )
}


def user_file() -> Path:
    """The config.toml that `devreg config set` writes."""
    return Path(platformdirs.user_config_dir("devreg", appauthor=False)) / FILE_NAME


def site_file() -> Path:
    """The config.toml for every user of this machine."""
    return Path(platformdirs.site_config_dir("devreg", appauthor=False)) / FILE_NAME


class Settings:
    """The settings of this run. Files are read once, when first asked for a value that no flag gives."""

    def __init__(self, environment: Mapping[str, str] = os.environ, files: tuple[Path, ...] | None = None) -> None:
        self._environment = environment
        self._files = files if files is not None else (user_file(), site_file())
        self._read: list[tuple[Path, dict[str, str]]] | None = None

    def get(self, key: str, flag: str | None = None) -> Value:
        """The value in force. Raises ConfigUnusable for a broken file, UsageError for a value that means nothing."""
        value = self._find(SETTINGS[key], flag)
        try:
            SETTINGS[key].check(value.value)
        except UsageError as error:
            raise UsageError(f"{key} (from {value.source}): {error.message}", hint=error.hint) from error
        return value

    def trusts(self, address: Address) -> bool:
        """Whether the user lets devreg talk to a registry without verification, also where the engine may not."""
        return str(address) in _addresses(self.get("trusted").value)

    @property
    def token_hosts(self) -> tuple[str, ...]:
        """The hosts that may get a registry's password for a token, although they are not the registry's own."""
        return _addresses(self.get("token_hosts").value)

    def all(self) -> tuple[Value, ...]:
        """Every value in force."""
        return tuple(self.get(key) for key in SETTINGS)

    def _find(self, setting: Setting, flag: str | None) -> Value:
        if flag is not None:
            return Value(setting.key, flag, "flag")
        if (text := self._environment.get(setting.variable)) is not None:
            return Value(setting.key, text, setting.variable)
        for path, table in self._tables():
            if setting.key in table:
                return Value(setting.key, table[setting.key], str(path))
        return Value(setting.key, setting.default, "default")

    def _tables(self) -> list[tuple[Path, dict[str, str]]]:
        if self._read is None:
            self._read = [(path, _table(path)) for path in self._files]
        return self._read


def with_value(text: str, key: str, value: str) -> str:
    """The text of a config.toml with one value set; comments and order stay. Raises UsageError, ConfigUnusable."""
    import tomlkit

    checked_key(key).check(value)
    document = _parse(text, "config.toml")
    document[key] = value
    return tomlkit.dumps(document)


def checked_key(key: str) -> Setting:
    """The setting of that name. Raises UsageError."""
    if key not in SETTINGS:
        raise UsageError(f"there is no setting {key!r}", hint=f"the settings are {', '.join(SETTINGS)}")
    return SETTINGS[key]


def _table(path: Path) -> dict[str, str]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigUnusable(
            f"{path} cannot be read: {error}", hint="mend its permissions or its text, or remove it"
        ) from error
    table = _parse(text, str(path)).unwrap()
    unknown = [key for key in table if key not in SETTINGS]
    if unknown:
        raise ConfigUnusable(
            f"{path} has an unknown setting {unknown[0]!r}", hint=f"the settings are {', '.join(SETTINGS)}"
        )
    return {key: str(value) for key, value in table.items()}


def _parse(text: str, source: str) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigUnusable(f"{source} is not valid TOML: {error}", hint="mend it or remove it") from error
