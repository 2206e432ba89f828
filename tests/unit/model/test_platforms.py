"""Which of several platforms is meant."""

from __future__ import annotations

import pytest

from devreg.model.platforms import best, normal


@pytest.mark.parametrize(
    ("machine", "platform"),
    [
        ("x86_64", "linux/amd64"),
        ("AMD64", "linux/amd64"),
        ("aarch64", "linux/arm64"),
        ("arm64", "linux/arm64"),
        ("armv7l", "linux/arm/v7"),
        ("i686", "linux/386"),
        ("riscv64", "linux/riscv64"),
        ("", "linux/"),
    ],
)
def test_what_machines_call_themselves(machine: str, platform: str) -> None:
    assert normal(f"linux/{machine}") == platform


@pytest.mark.parametrize(
    ("wanted", "there", "at"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], 1),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64"], 1),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64/v2"], 0),
        ("linux/arm64", ["linux/arm64/v8"], 0),
        ("linux/arm64/v8", ["linux/arm64"], 0),
        ("linux/arm64/v9", ["linux/arm64"], None),
        ("linux/arm", ["linux/arm/v6", "linux/arm/v7"], 1),
        ("linux/arm", ["linux/arm64"], None),
        ("linux/arm/v6", ["linux/arm/v7"], None),
        ("Linux/x86_64", ["linux/amd64"], 0),
        ("linux/aarch64", ["linux/arm64/v8"], 0),
        ("linux/amd64", ["windows/amd64"], None),
        ("linux", ["linux/amd64"], 0),
        ("", ["linux/amd64", None, ""], None),
        ("linux/amd64", [], None),
        ("linux/amd64", [None, "linux/amd64", "linux/amd64"], 1),
    ],
)
def test_best(wanted: str, there: list[str | None], at: int | None) -> None:
    assert best(wanted, there) == at
