"""A screen to look at."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from devreg.output import console


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], io.StringIO]:
    """Make stdout a terminal so many columns wide."""

    def make(width: int) -> io.StringIO:
        screen = io.StringIO()
        plain: Any = {"highlight": False, "markup": False, "emoji": False}  # as console.stdout() has them
        made = Console(file=screen, width=width, force_terminal=True, color_system=None, **plain)
        monkeypatch.setattr(console, "is_terminal", lambda: True)
        monkeypatch.setattr(console, "stdout", lambda: made)
        return screen

    return make
