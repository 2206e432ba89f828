"""The picture of the layers that tags share."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest

from devreg.model.layer_tree import Branch, Cost, Forest, Wood
from devreg.output import tree_view

Terminal = Callable[[int], io.StringIO]
ONE, TWO, THREE = (f"sha256:{number:064x}" for number in (1, 2, 3))
BRANCHES = (
    Branch(
        (ONE,), 1_000_000, ("base",), (Branch((TWO, THREE), 2_000_000, ("1.0", "latest")), Branch((THREE,), 5, ("2",)))
    ),
)
FOREST = Forest(
    "team/app",
    stored=3_000_000,
    costs=(
        Cost("base", ONE, 1_000_000, 0),
        Cost("1.0", TWO, 3_000_000, 0),
        Cost("latest", TWO, 3_000_000, 0),
        Cost("2", THREE, 1_000_005, 5),
    ),
    alone={ONE: 0, TWO: 2_000_000, THREE: 5},
    platforms=(Wood("linux/amd64", BRANCHES),),
    unread={},
)


def test_one_platform_needs_no_name(terminal: Terminal) -> None:
    screen = terminal(80)
    tree_view.forest(FOREST)
    assert screen.getvalue().splitlines() == [
        "team/app",
        "└── 1 layer, 1.0 MB  000000000000",
        "    ├── base  nothing more  alone 0 B",
        "    ├── 1.0, latest  2 layers, 2.0 MB  alone 2.0 MB",
        "    └── 2  1 layer, 5 B  alone 5 B",
        "4 tags of 3 digests: 3.0 MB stored, 5.0 MB if nothing were shared",
    ]


def test_each_of_several_has_one(terminal: Terminal) -> None:
    screen = terminal(80)
    alone = {ONE: 0, TWO: 7, THREE: 5}
    tree_view.forest(replace(FOREST, platforms=(Wood("linux/amd64", BRANCHES, alone), Wood(None, BRANCHES, alone))))
    lines = screen.getvalue().splitlines()
    assert (lines[1], lines[6]) == ("├── linux/amd64", "└── no platform")
    assert sum(line.endswith("1.0, latest  2 layers, 2.0 MB  alone 7 B") for line in lines) == 2
    assert ["1.0,", "latest", "3.0", "MB", "2.0", "MB"] in [line.split() for line in lines]


def test_what_is_on_one_platform_only_needs_no_sum(terminal: Terminal) -> None:
    screen = terminal(80)
    woods = (Wood("linux/amd64", BRANCHES, FOREST.alone), Wood(None, ()))
    tree_view.forest(replace(FOREST, platforms=woods))
    assert "TAGS" not in screen.getvalue()


def test_images_that_differ_in_their_configs_only_have_a_line_each(terminal: Terminal) -> None:
    screen = terminal(80)
    wood = Wood(None, (Branch((ONE,), 1_000_000, ("2", "base", "1.0", "latest")),))
    tree_view.forest(replace(FOREST, platforms=(wood,)))
    leaves = [line.partition("── ")[2] for line in screen.getvalue().splitlines()[2:-1]]
    assert leaves == [
        "base  nothing more  alone 0 B",
        "1.0, latest  nothing more  alone 2.0 MB",
        "2  nothing more  alone 5 B",
    ]


def test_what_lies_deep_is_not_set_in_for_ever(terminal: Terminal) -> None:
    screen = terminal(80)
    names = [f"tag-{height}" for height in range(40)]
    branch = Branch((ONE,), 1, (names[-1],))
    for name in reversed(names[:-1]):
        branch = Branch((ONE,), 1, (name,), (branch,))
    costs = tuple(Cost(name, f"sha256:{at}", 1, 1) for at, name in enumerate(names))
    alone = {each.digest: 1 for each in costs}
    tree_view.forest(replace(FOREST, costs=costs, alone=alone, platforms=(Wood(None, (branch,)),)))
    text = screen.getvalue()
    assert all(f"{name}  " in text for name in names)
    assert max(map(len, text.splitlines())) < 80


def test_it_fits_and_is_inert(terminal: Terminal) -> None:
    evil = "\x1b[2J[red]" + "x" * 120
    branch = Branch((ONE,), 1, (evil, "y" * 128))
    costs = (Cost(evil, ONE, 1, 1), Cost("y" * 128, ONE, 1, 1))
    screen = terminal(80)
    tree_view.forest(replace(FOREST, costs=costs, alone={ONE: 1}, platforms=(Wood(None, (branch,)),)))
    assert "\x1b" not in screen.getvalue()
    assert "[red]" in screen.getvalue()
    assert max(map(len, screen.getvalue().splitlines())) <= 80


def test_tags_that_begin_with_the_same_digest_are_told_apart(terminal: Terminal) -> None:
    tags = tuple(f"sha256-{'ab' * 32}.{each}" for each in ("att", "sig"))
    costs = tuple(Cost(tag, digest, 1, 1) for tag, digest in zip(tags, (ONE, TWO), strict=True))
    branches = tuple(Branch((digest,), 1, (tag,)) for tag, digest in zip(tags, (ONE, TWO), strict=True))
    screen = terminal(80)
    tree_view.forest(replace(FOREST, costs=costs, alone={ONE: 1, TWO: 1}, platforms=(Wood(None, branches),)))
    assert "sha256-abababababab….att" in screen.getvalue()
    assert "sha256-abababababab….sig" in screen.getvalue()


def test_lines_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    tree_view.forest(FOREST)
    first = capsys.readouterr().out.splitlines()[0].split()
    assert first == ["base", "1000000", "0", ONE]
