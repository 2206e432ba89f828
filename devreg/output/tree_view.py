"""The layers that tags share, as a picture; in a pipe the costs of the tags, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from devreg.output import console, tables
from devreg.output.columns import some_of
from devreg.output.console import inert
from devreg.output.units import short_digest, size

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from devreg.model.layer_tree import Branch, Forest

_NAMES_WIDTH = 44


def forest(found: Forest) -> None:
    """In a pipe: tag, digest, bytes of all that it leads to, bytes of what only it leads to."""
    if console.is_terminal():
        _picture(found)
    else:
        tables.lines([tables.word(each.name), each.digest, str(each.size), str(each.alone)] for each in found.costs)


def _picture(found: Forest) -> None:
    from rich.text import Text
    from rich.tree import Tree

    digests = {each.name: each.digest for each in found.costs}
    total = sum({each.digest: each.size for each in found.costs}.values())
    told = f"  {size(found.stored)} stored, {size(total)} if nothing were shared"
    picture = Tree(Text.assemble((inert(found.repository), "bold"), told), guide_style="dim")
    for wood in found.platforms:
        several = len(found.platforms) > 1
        place = picture.add(Text(inert(wood.platform or "no platform"), "bold")) if several else picture
        for branch in wood.branches:
            _grow(place, branch, found.alone, digests)
    console.stdout().print(picture)


def _grow(place: Tree, branch: Branch, alone: dict[str, int], digests: dict[str, str]) -> None:
    """A branch of one image only is told with its tags, others with what lies below all that follows."""
    from rich.text import Text

    count = len(branch.layers)
    layers = f"{count} layer{'s' if count != 1 else ''}, {size(branch.size)}"
    if branch.tags and not branch.branches:
        place.add(_leaf(branch.tags, layers, alone[digests[branch.tags[0]]]))
        return
    below = place.add(Text.assemble(layers, (f"  {short_digest(branch.layers[-1])}" if branch.layers else "", "dim")))
    if branch.tags:
        below.add(_leaf(branch.tags, "nothing more", alone[digests[branch.tags[0]]]))
    for each in branch.branches:
        _grow(below, each, alone, digests)


def _leaf(tags: tuple[str, ...], layers: str, alone: int) -> Text:
    from rich.text import Text

    names = some_of([inert(tag) for tag in tags], _NAMES_WIDTH)
    return Text.assemble((names, "cyan"), f"  {layers}", (f"  alone {size(alone)}", "dim"))
