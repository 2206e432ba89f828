"""What goes and what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from devreg.model.deletion_plan import freed
from devreg.model.prune_plan import Rules, pruning
from tests.unit.model.inventories import belonging, d, going, inventory, node, why

FIVE = inventory(
    {"1": "a", "2": "b", "3": "c", "4": "e", "5": "f"},
    {"a": "01-01", "b": "02-01", "c": "03-01", "e": "04-01", "f": "05-01"},
)
MARCH = datetime(2024, 3, 1, tzinfo=timezone.utc)


def test_the_newest_stay() -> None:
    plan = pruning(FIVE, Rules(keep=2))
    assert going(plan) == {"1": "manifest", "2": "manifest", "3": "manifest"}
    assert set(plan.manifests) == {d("a"), d("b"), d("c")}
    assert plan.frees == 3
    assert why(plan)["5"] == "one of the 2 newest"
    assert why(plan)["1"] == "not one of the 2 newest"
    assert [tag.name for tag in plan.tags] == ["3", "2", "1", "5", "4"]


def test_fewer_tags_than_are_to_stay() -> None:
    assert pruning(FIVE, Rules(keep=9)).is_empty


def test_tags_of_one_image_count_once() -> None:
    found = inventory({"latest": "b", "2": "b", "1": "a"}, {"a": "01-01", "b": "02-01"})
    assert going(pruning(found, Rules(keep=1))) == {"1": "manifest"}


def test_images_of_the_same_moment_stay_together() -> None:
    found = inventory({"x": "a", "y": "b", "z": "c"}, {"a": "01-01", "b": "01-01", "c": "01-01"})
    assert pruning(found, Rules(keep=1)).is_empty


def test_the_old_go() -> None:
    plan = pruning(FIVE, Rules(made_before=MARCH))
    assert going(plan) == {"1": "manifest", "2": "manifest"}
    assert why(plan)["3"] == "since 2024-03-01"
    assert why(plan)["1"] == "before 2024-03-01"


def test_a_tag_goes_only_if_no_rule_keeps_it() -> None:
    assert set(going(pruning(FIVE, Rules(keep=1, made_before=MARCH)))) == {"1", "2"}
    assert set(going(pruning(FIVE, Rules(keep=4, made_before=MARCH)))) == {"1"}
    plan = pruning(FIVE, Rules(keep=1, keep_tags=("[12]", "9*")))
    assert set(going(plan)) == {"3", "4"}
    assert why(plan)["1"] == "matches [12]"


def test_what_a_glob_keeps_does_not_count_for_the_newest() -> None:
    assert set(going(pruning(FIVE, Rules(keep=1, keep_tags=("5",))))) == {"1", "2", "3"}


@pytest.mark.parametrize("date", [None, "1970"])
def test_what_nobody_knows_the_date_of_stays(date: str | None) -> None:
    found = inventory({"x": "a", "y": "b"}, {"b": "01-01"})
    found = replace(found, created={**found.created, d("a"): date and "1970-01-01T00:00:00Z"})
    assert going(pruning(found, Rules(made_before=MARCH))) == {"y": "manifest"}
    assert pruning(found, Rules(keep=1)).is_empty


def test_a_digest_that_a_kept_tag_uses_stays() -> None:
    found = inventory({"old": "a", "release": "a", "1": "b"}, {"a": "01-01", "b": "02-01"})
    plan = pruning(found, Rules(keep=1, keep_tags=("release",)))
    assert going(plan) == {"old": "tag"}
    assert (plan.manifests, plan.frees) == ((), 0)


def test_the_images_of_a_kept_index_stay() -> None:
    found = inventory(
        {"index": "i", "amd64": "x", "old": "o"},
        {"i": "05-01", "x": "01-01", "o": "01-01"},
        node("i", "x", "y", "att"),
        node("y"),
        node("att"),
        node("o", "y", "z"),
        node("z"),
    )
    plan = pruning(found, Rules(keep=1))
    assert going(plan) == {"amd64": "tag", "old": "manifest"}
    assert plan.manifests == (d("o"), d("z"))


def test_an_index_goes_before_its_images_however_deep() -> None:
    found = inventory(
        {"index": "i", "new": "n"}, {"i": "01-01", "n": "02-01"}, node("i", "j"), node("j", "k"), node("k")
    )
    assert pruning(found, Rules(keep=1)).manifests == (d("i"), d("j"), d("k"))


def test_manifests_that_lead_to_each_other() -> None:
    """A registry may say that two manifests refer to each other."""
    found = inventory({"a": "a", "n": "n"}, {"a": "01-01", "n": "02-01"}, node("a", "b"), node("b", "a"))
    assert set(pruning(found, Rules(keep=1)).manifests) == {d("a"), d("b")}


def test_manifests_that_are_named_and_not_there_are_not_deleted() -> None:
    found = inventory({"i": "i", "n": "n"}, {"i": "01-01", "n": "02-01"}, node("i", "missing"))
    assert pruning(found, Rules(keep=1)).manifests == (d("i"),)


def test_what_refers_to_a_kept_manifest_stays_and_what_that_refers_to() -> None:
    found = inventory(
        {"image": "x", "sbom": "s", "n": "n"},
        {"x": "05-01", "s": "01-01", "n": "06-01"},
        node("x", "s"),
        subjects={d("s"): frozenset([d("x")])},
    )
    assert going(pruning(found, Rules(keep=2))) == {"sbom": "tag"}
    kept_by_its_referrer = pruning(found, Rules(keep=1, keep_tags=("sbom",)))
    assert going(kept_by_its_referrer) == {"image": "tag"}
    assert kept_by_its_referrer.manifests == ()


def test_signatures_go_with_what_they_sign() -> None:
    found = inventory(
        {"1": "a", belonging("a"): "sa", "2": "b", belonging("b"): "sb", belonging("sa", ".att"): "ssa"},
        {"a": "01-01", "b": "02-01"},
    )
    plan = pruning(found, Rules(keep=1))
    assert going(plan) == dict.fromkeys(("1", belonging("a"), belonging("sa", ".att")), "manifest")
    assert why(plan)[belonging("b")] == "its subject stays"
    assert why(plan)[belonging("a")] == "its subject goes"


def test_signatures_do_not_count_for_the_newest() -> None:
    found = inventory({"1": "a", "2": "b", belonging("b"): "sb"}, {"a": "01-01", "b": "02-01", "sb": "03-01"})
    assert set(going(pruning(found, Rules(keep=2)))) == set()


def test_a_signature_of_an_image_within_an_index() -> None:
    found = inventory(
        {"i": "i", belonging("x"): "sx", "n": "n"}, {"i": "01-01", "n": "02-01"}, node("i", "x"), node("x")
    )
    assert set(going(pruning(found, Rules(keep=1)))) == {"i", belonging("x")}
    assert set(going(pruning(found, Rules(keep=2)))) == set()


def test_a_signature_that_is_kept_keeps_what_it_signs() -> None:
    found = inventory({"1": "a", belonging("a"): "sa", "2": "b"}, {"a": "01-01", "b": "02-01"})
    found = replace(found, subjects={d("sa"): frozenset([d("a")])})
    plan = pruning(found, Rules(keep=1, keep_tags=("sha256-*",)))
    assert going(plan) == {"1": "tag"}
    assert plan.manifests == ()


def test_signatures_of_what_is_gone() -> None:
    found = inventory({"1": "a", belonging("gone"): "s", belonging("loose"): "t"}, {"a": "01-01"})
    found = replace(found, lost=frozenset([d("gone")]))
    assert pruning(found, Rules(keep=1)).is_empty
    plan = pruning(found, Rules(untagged=True))
    assert going(plan) == {belonging("gone"): "manifest"}
    assert why(plan) == {
        belonging("gone"): "its subject is gone",
        "1": "no rule asks for it to go",
        belonging("loose"): "its subject has no tag",
    }


def test_manifests_without_a_tag() -> None:
    found = inventory({"1": "a"}, {"a": "01-01"}, node("a", "x"), node("x"), node("l", "x", "y"), node("y"))
    found = replace(found, loose=(d("l"),))
    assert pruning(found, Rules(keep=1)).is_empty
    plan = pruning(found, Rules(untagged=True))
    assert plan.loose == (d("l"),)
    assert plan.manifests == (d("l"), d("y"))


def test_a_tag_that_cannot_be_read_keeps_every_manifest() -> None:
    holdings = replace(FIVE.holdings, unread={"broken": "is none"})
    plan = pruning(replace(FIVE, holdings=holdings), Rules(keep=2))
    assert going(plan) == {"1": "tag", "2": "tag", "3": "tag"}
    assert (plan.manifests, plan.frees, plan.unread) == ((), 0, {"broken": "is none"})


def test_signatures_stay_while_a_tag_cannot_be_read() -> None:
    """Nobody knows whether that tag stands for what they sign."""
    found = inventory({"1": "a", belonging("a"): "sa", "2": "b", belonging("x"): "sx"}, {"a": "01-01", "b": "02-01"})
    holdings = replace(found.holdings, unread={"broken": "is none"})
    found = replace(found, holdings=holdings, lost=frozenset([d("x")]))
    assert going(pruning(found, Rules(keep=1, untagged=True))) == {"1": "tag", belonging("x"): "tag"}


def test_bytes_that_are_shared_do_not_come_free() -> None:
    found = inventory(
        {"1": "a", "2": "b", "3": "c"},
        {"a": "01-01", "b": "02-01", "c": "03-01"},
        node("a", base=1000, shared=100, own=10),
        node("b", base=1000, shared=100),
        node("c", base=1000),
    )
    assert pruning(found, Rules(keep=1)).frees == 1 + 1 + 100 + 10
    assert pruning(found, Rules(keep=2)).frees == 1 + 10
    assert freed(found.holdings.nodes, [d("a"), d("b"), d("c"), d("unknown")]) == 3 + 1110


def test_nothing_goes_beyond_what_was_shown() -> None:
    shown = pruning(FIVE, Rules(keep=2))
    pushed = inventory(
        {"1": "a", "2": "new", "3": "c", "4": "e", "5": "f", "release": "c", "6": "g"},
        {"a": "01-01", "new": "01-01", "c": "03-01", "e": "04-01", "f": "05-01", "g": "06-01"},
    )
    plan = pruning(pushed, Rules(keep=2), shown)
    assert going(plan) == {"1": "manifest", "3": "tag"}
    assert plan.manifests == (d("a"),)
    assert why(plan)["release"] == why(plan)["2"] == "changed after the plan was shown"


def test_a_manifest_that_was_to_stay_when_it_was_shown_stays() -> None:
    dates: dict[str, str | None] = {"a": "01-01", "b": "02-01"}
    rules = Rules(keep=1, keep_tags=("release",))
    shown = pruning(inventory({"old": "a", "release": "a", "1": "b"}, dates), rules)
    plan = pruning(inventory({"old": "a", "1": "b"}, dates), rules, shown)
    assert going(plan) == {"old": "tag"}
    assert plan.manifests == ()
