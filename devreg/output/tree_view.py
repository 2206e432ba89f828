"""The layers that tags share, as a picture; in a pipe the costs of the tags, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from devreg.output import console, tables
from devreg.output.columns import Column, Row, some_of
from devreg.output.console import inert
from devreg.output.units import counted, short_digest, short_tag, size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text
    from rich.tree import Tree

    from devreg.model.layer_tree import Branch, Forest

_NARROWEST = 20
_DEEPEST = 6
"""Branches on branches that are set in. Those above them stand one below the other, else no line would fit."""


def forest(found: Forest) -> None:
    """In a pipe: tag, bytes of all that it leads to, bytes of what only it leads to, digest."""
    if console.is_terminal():
        _picture(found)
    else:
        tables.lines([tables.word(each.name), str(each.size), str(each.alone), each.digest] for each in found.costs)


@dataclass(frozen=True)
class _Sizes:
    """What the leaves of a tree need: the digest of each tag, and the bytes that each digest's tags lead to alone."""

    digests: Mapping[str, str]
    alone: Mapping[str, int]


def _picture(found: Forest) -> None:
    from rich.text import Text
    from rich.tree import Tree

    digests = {each.name: each.digest for each in found.costs}
    several = len(found.platforms) > 1
    is_split = sum(len(wood.alone) for wood in found.platforms) > len(found.alone)  # an image in several trees
    picture = Tree(Text(inert(found.repository), "bold"), guide_style="dim")
    for wood in found.platforms:
        place = picture.add(Text(inert(wood.platform or "no platform"), "bold")) if several else picture
        sizes = _Sizes(digests, wood.alone if is_split else found.alone)
        for branch in wood.branches:
            _grow(place, branch, sizes, depth=1 + several)
    screen = console.stdout()
    screen.print(picture)
    if is_split:
        screen.print()
        _costs(found)
        screen.print()
    screen.print(Text(_total(found)))


def _costs(found: Forest) -> None:
    """What the tags of each digest cost on all platforms together: the trees tell it of each."""
    names: dict[str, list[str]] = {}
    for each in found.costs:
        names.setdefault(each.digest, []).append(short_tag(inert(each.name)))
    sizes = {each.digest: each.size for each in found.costs}
    columns = [Column("TAGS", "cyan", least=_NARROWEST), Column("SIZE", right=True), Column("ALONE", right=True)]
    rows = [Row((tuple(tags), size(sizes[each]), size(found.alone[each]))) for each, tags in names.items()]
    tables.table(columns, rows)


def _total(found: Forest) -> str:
    images = {each.digest: each.size for each in found.costs}
    tags = counted(len(found.costs), "tag")
    of = f" of {counted(len(images), 'digest')}" if len(images) < len(found.costs) else ""
    return f"{tags}{of}: {size(found.stored)} stored, {size(sum(images.values()))} if nothing were shared"


def _grow(place: Tree, branch: Branch, sizes: _Sizes, depth: int) -> None:
    """A branch of one image only is told with its tags, others with what lies below all that follows."""
    from rich.text import Text

    count = len(branch.layers)
    layers = f"{counted(count, 'layer')}, {size(branch.size)}"
    leaves = list(_leaves(branch, sizes))
    if len(leaves) == 1 and not branch.branches:
        place.add(_leaf(*leaves[0], layers, depth))
        return
    below = place.add(Text.assemble(layers, (f"  {short_digest(branch.layers[-1])}" if branch.layers else "", "dim")))
    if depth >= _DEEPEST:
        below = place
    for tags, alone in leaves:
        below.add(_leaf(tags, alone, "nothing more", depth + 1))
    for each in branch.branches:
        _grow(below, each, sizes, min(depth + 1, _DEEPEST))


def _leaves(branch: Branch, sizes: _Sizes) -> Iterator[tuple[list[str], int]]:
    """The tags of each digest whose layers end here, and what they cost. Images may differ in their configs only."""
    ordered = sorted(branch.tags, key=sizes.digests.__getitem__)
    for digest, tags in groupby(ordered, key=sizes.digests.__getitem__):
        yield list(tags), sizes.alone[digest]


def _leaf(tags: list[str], alone: int, layers: str, depth: int) -> Text:
    from rich.text import Text

    cost = f"  alone {size(alone)}"
    room = console.stdout().width - 4 * depth - len(f"  {layers}{cost}")
    names = some_of([short_tag(inert(tag)) for tag in tags], max(room, _NARROWEST))
    return Text.assemble((names, "cyan"), f"  {layers}", (cost, "dim"))
