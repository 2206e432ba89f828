"""Which layers images share."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from devreg.model.layer_tree import Branch, Grown, tree


def grown(tag: str, layers: str) -> Grown:
    """An image whose layers are called by one letter each, of ten bytes."""
    return Grown((tag,), tuple((layer, 10) for layer in layers))


def test_what_images_share_is_a_branch() -> None:
    (base,) = tree([grown("1", "abc"), grown("2", "abd"), grown("3", "ab"), grown("4", "abde")])
    assert (base.layers, base.size, base.tags) == (("a", "b"), 20, ("3",))
    assert base.branches == (
        Branch(("d",), 10, ("2",), (Branch(("e",), 10, ("4",)),)),
        Branch(("c",), 10, ("1",)),
    )


def test_images_without_anything_in_common() -> None:
    assert tree([grown("1", "a"), grown("2", "b")]) == (Branch(("a",), 10, ("1",)), Branch(("b",), 10, ("2",)))
    assert tree([]) == ()


def test_images_without_layers() -> None:
    assert tree([grown("1", ""), grown("2", "")]) == (Branch((), 0, ("1", "2")),)


def test_a_thousand_images_each_one_layer_higher() -> None:
    """A registry could send these to make a program fall."""
    names = [chr(0x4E00 + number) for number in range(1000)]
    (branch,) = tree([grown(f"{height}", "".join(names[:height])) for height in range(1, 1001)])
    assert branch.tags == ("1",)


IMAGES = st.lists(st.text("abc", max_size=6), max_size=20)


@given(IMAGES)
@settings(max_examples=300)
def test_every_image_is_in_it_once_with_its_own_layers(images: list[str]) -> None:
    found: dict[str, str] = {}

    def walk(branch: Branch, below: str) -> None:
        here = below + "".join(branch.layers)
        assert branch.size == 10 * len(branch.layers)
        for tag in branch.tags:
            assert tag not in found
            found[tag] = here
        for each in branch.branches:
            assert each.layers
            walk(each, here)

    for branch in tree([grown(str(at), layers) for at, layers in enumerate(images)]):
        walk(branch, "")
    assert found == {str(at): layers for at, layers in enumerate(images)}
