"""A group of commands that imports a command when it is called, and lists all without importing any.

Importing every command to list or complete them would take longer than typer itself does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

# For each command its module in devreg.cli, whose `register` adds it, and what it does, as its own help begins.
Contents = Mapping[str, tuple[str, str]]


class LazyGroup(TyperGroup):
    """A group whose subclasses say in `contents` what is in it."""

    contents: ClassVar[Contents]

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = _Commands(self.contents)  # type: ignore[assignment]  # nobody adds to it

    def list_commands(self, _context: object) -> list[str]:
        """The names, in the order of the contents."""
        return list(self.contents)

    def get_command(self, _context: object, name: str) -> TyperCommand | None:
        """What help and completion show of a command: its name and what it does."""
        if name not in self.contents:
            return None
        return TyperCommand(name, help=self.contents[name][1])

    def resolve_command(self, context: Any, words: list[str]) -> tuple[Any, Any, list[str]]:
        """The command that `words` begin with, imported, and the words after it."""
        name, command, rest = super().resolve_command(context, words)
        return name, command and self.commands[command.name or ""], rest


class _Commands(Mapping[str, Any]):
    """Commands by their names, each imported when it is looked up."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def __getitem__(self, name: str) -> Any:
        module, _ = self._contents[name]
        part = typer.Typer(rich_markup_mode=None)
        import_module(f"devreg.cli.{module}").register(part)
        return typer.main.get_group(part).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)
