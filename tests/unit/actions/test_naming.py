"""What images are called in a registry."""

from __future__ import annotations

import pytest

from devreg.actions.naming import Names, Target, archived_names, target, targets
from devreg.model.address import Address
from devreg.model.errors import UsageError
from devreg.model.reference import Destination

DEFAULT, REG = Destination.parse("default:5000/pre"), Address.parse("reg:1")


@pytest.mark.parametrize(
    ("image", "to", "expected"),
    [
        ("app:1", None, "default:5000/pre/app:1"),
        ("app", None, "default:5000/pre/app"),
        ("reg:1/team/app:1", None, "reg:1/team/app:1"),
        ("reg:1/team/app:1", "other:2", "other:2/team/app:1"),
        ("app", "other:2/ci", "other:2/ci/app"),
    ],
)
def test_target(image: str, to: str | None, expected: str) -> None:
    assert str(target(image, DEFAULT, Destination.parse(to) if to else None)) == expected


@pytest.mark.parametrize(
    ("own", "names", "expected"),
    [
        (("reg:1/app:1",), Names(DEFAULT), [("app", ("1",))]),
        (("reg:1/app",), Names(DEFAULT), [("app", ("latest",))]),
        (("reg:1/app:1", "reg:1/tool:1", "reg:1/app:2"), Names(DEFAULT), [("app", ("1", "2")), ("tool", ("1",))]),
        (("reg:1/app:1", "reg:1/app:2"), Names(DEFAULT, tags=("3", "4", "3")), [("app", ("3", "4"))]),
        (("reg:1/app:1",), Names(DEFAULT, name="reg:1/x:2"), [("x", ("2",))]),
        ((), Names(DEFAULT, name="reg:1/x:2", tags=("3",)), [("x", ("3",))]),
    ],
)
def test_targets_are_repositories_with_all_their_tags(
    own: tuple[str, ...], names: Names, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert targets(own, names) == tuple(Target(REG, repository, tags) for repository, tags in expected)


@pytest.mark.parametrize(
    ("own", "names", "why"),
    [
        ((), Names(DEFAULT), "does not say what its image is called"),
        (("app",), Names(DEFAULT, name=""), "not an image reference"),
        (("app",), Names(DEFAULT, tags=("",)), "is not a tag"),
        ((f"app@sha256:{'a' * 64}",), Names(DEFAULT), "the registry computes it"),
        ((f"app:1@sha256:{'a' * 64}",), Names(DEFAULT, tags=("2",)), "the registry computes it"),
    ],
)
def test_names_that_cannot_be_given(own: tuple[str, ...], names: Names, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        targets(own, names)


def test_references_of_a_target() -> None:
    assert [*map(str, Target(REG, "team/app", ("1", "2")).references)] == ["reg:1/team/app:1", "reg:1/team/app:2"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("app:1", "app:1"),
        ("docker.io/library/app:1", "app:1"),
        ("docker.io/me/app:1", "me/app:1"),
        ("index.docker.io/library/app:1", "app:1"),
        ("library/app:1", "library/app:1"),
        ("reg:1/library/app:1", "reg:1/library/app:1"),
    ],
)
def test_the_hub_before_an_archived_name_says_nothing(name: str, expected: str) -> None:
    assert archived_names([name]) == (expected,)


def test_a_tag_alone_is_no_name() -> None:
    assert archived_names(["1.0", "app:1", "latest"]) == ("app:1",)
