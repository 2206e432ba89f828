"""What goes with what is named."""

from __future__ import annotations

from devreg.model.deletion_plan import only_tags, removal
from tests.unit.model.inventories import belonging, d, going, inventory, node, why


def test_a_manifest_goes_with_every_tag_and_with_what_only_it_leads_to() -> None:
    found = inventory(
        {"1": "i", "latest": "i", "2": "j", belonging("i"): "s"},
        None,
        node("i", "x", "y"),
        node("j", "y"),
        *map(node, "xy"),
    )
    plan = removal(found, [d("i")])
    assert going(plan) == dict.fromkeys(("1", "latest", belonging("i")), "manifest")
    assert set(plan.manifests) == {d("i"), d("x"), d("s")}
    assert plan.manifests.index(d("i")) < plan.manifests.index(d("x"))
    assert why(plan)["2"] == "not named"
    assert why(plan)["1"] == "it was named"


def test_manifests_and_tags_at_once() -> None:
    found = inventory({"1": "a", "2": "b", "3": "c"})
    assert going(removal(found, [d("a")], ["2"])) == {"1": "manifest", "2": "tag"}
    assert removal(found, [d("a")], ["1"]).manifests == (d("a"),)


def test_a_signature_is_deleted_when_it_is_named() -> None:
    found = inventory({"1": "a", belonging("a"): "s", "sbom": "b"}, None, node("a", "b"), node("b"))
    assert going(removal(found, [d("s")])) == {belonging("a"): "manifest"}
    assert going(removal(found, [d("b")])) == {"sbom": "manifest"}
    assert removal(found, [d("b")]).manifests == (d("b"),)


def test_tags_only() -> None:
    plan = only_tags("app", {"1": d("a")})
    assert going(plan) == {"1": "tag"}
    assert (plan.manifests, plan.frees, plan.is_empty) == ((), 0, False)
