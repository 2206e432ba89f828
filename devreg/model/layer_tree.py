"""Which layers images share, as a tree: what lies below several images is a branch, and they are what grows on it.

Field names are keys of the JSON contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, takewhile

_DEEPEST = 50
"""Branches on branches. Real images have a handful; from there on the images of a branch count as sharing no more."""

Layer = tuple[str, int]
"""Digest and size in bytes."""


@dataclass(frozen=True)
class Grown:
    """One image: the names of the tags that lead to it, and its layers from the lowest on."""

    tags: tuple[str, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Branch:
    """Layers that lie on each other in all images above: the tags whose image ends here, and further branches.

    `size`: of these layers alone, in bytes.
    """

    layers: tuple[str, ...]
    size: int
    tags: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True)
class Cost:
    """A tag. `size`: of all that it leads to, in bytes; `alone`: of what no other tag of the repository leads to."""

    name: str
    digest: str
    size: int
    alone: int


@dataclass(frozen=True)
class Wood:
    """The tree of one platform; None for what has none.

    `alone`, by the digest that tags stand for: bytes of what is on this platform and what no other digest leads to.
    """

    platform: str | None
    branches: tuple[Branch, ...]
    alone: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Forest:
    """What the tags of a repository are made of. `stored`: bytes of all that they lead to, each blob once.

    `costs` are of the tags that were wanted, `alone` by digest: of what only that digest's tags lead to, all together.
    `unread`: why other tags could not be read; while there are any, what is told to be alone is at most so much.
    `unlisted`: why what refers to the images is not counted; empty where it is.
    """

    repository: str
    stored: int
    costs: tuple[Cost, ...]
    alone: dict[str, int]
    platforms: tuple[Wood, ...]
    unread: dict[str, str]
    unlisted: str = ""


def tree(images: Iterable[Grown], depth: int = 0) -> tuple[Branch, ...]:
    """The lowest branches. Those with the most tags above come first, and of as many those with the first name."""
    ordered = sorted(images, key=lambda image: image.layers)
    groups = [list(group) for _, group in groupby(ordered, key=lambda image: image.layers[:1])]
    if depth == _DEEPEST:
        groups = [[image] for image in ordered]
    return tuple(sorted((_branch(group, depth) for group in groups), key=_place))


def _branch(images: Sequence[Grown], depth: int) -> Branch:
    shared = _shared(images[0].layers, images[-1].layers)  # they are sorted: what these two share, all do
    rest = [Grown(each.tags, each.layers[len(shared) :]) for each in images]
    return Branch(
        layers=tuple(digest for digest, _ in shared),
        size=sum(size for _, size in shared),
        tags=tuple(tag for each in rest if not each.layers for tag in each.tags),
        branches=tree([each for each in rest if each.layers], depth + 1),
    )


def _shared(one: Sequence[Layer], other: Sequence[Layer]) -> tuple[Layer, ...]:
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return tuple(layer for layer, _ in pairs)


def _place(branch: Branch) -> tuple[int, str]:
    tags = list(_tags(branch))
    return -len(tags), min(tags, default="")


def _tags(branch: Branch) -> Iterator[str]:
    yield from branch.tags
    for each in branch.branches:
        yield from _tags(each)
