"""`--format`."""

from __future__ import annotations

import pytest

from devreg.model.errors import UsageError
from devreg.model.listing import Repository, Tag
from devreg.output.template import Template

TAG = Tag("app", "1.0", "sha256:0", 1500, None, ("linux/amd64", "linux/arm64"), also=("latest",))


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (r"{name}\t{digest}\n-", "1.0\tsha256:0\n-"),
        (r"a\\n{name}", r"a\n1.0"),
        ("{name:<6}|{size:>8}|{size:,}", "1.0   |    1500|1,500"),
        ("{name:.1}{name:*^7}", "1**1.0**"),
        ("{platforms} {also:>8}", "linux/amd64,linux/arm64   latest"),
        ("{created}|{referrers:>3}|{referrers:,}|{created:05}|", "|   ||     |"),
        ("{{{name}}}", "{1.0}"),
        ("just words", "just words"),
        ("", ""),
    ],
)
def test_lines(template: str, line: str) -> None:
    assert Template(template, Tag).line(TAG) == line


@pytest.mark.parametrize(
    "template",
    [
        "{nothing}",
        "{}",
        "{0}",
        "{name.__class__}",
        "{platforms[0]}",
        "{name",
        "name}",
        "{name!r}",
        "{name:d}",
        "{size:s}",
        "{name:{size}}",
        "{name:<99999999999}",
        "{name:<99999}",
        "{name:.99999}",
        "{digest:%Y}",
    ],
)
def test_what_cannot_be_filled_in_is_told_with_the_fields(template: str) -> None:
    with pytest.raises(UsageError) as caught:
        Template(template, Tag)
    assert caught.value.message.startswith("--format: ")
    assert "{repository}, {name}, {digest}, {size}" in caught.value.hint


def test_the_fields_that_are_used() -> None:
    assert Template("{name:>3} {{size}} {tags}", Repository).fields == {"name", "tags"}


def test_values_are_inert() -> None:
    evil = Tag("app", "{size}\x1b[2J\n", "\udcff", platforms=("\u202e",))
    assert Template("{name} {digest} {platforms}", Tag).line(evil) == r"{size}\x1b[2J\n \udcff \u202e"
