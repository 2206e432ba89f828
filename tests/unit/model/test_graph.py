"""What tags lead to, each blob counted once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devreg.model.graph import Holdings, Node

BASE = {"base": 1000}
NODES = {
    "one": Node({"one": 1, **BASE, "a": 10}),
    "two": Node({"two": 2, **BASE, "b": 20}),
    "index": Node({"index": 4}, ("one", "three", "missing", "attestation")),
    "three": Node({"three": 8, "c": 40}),
    "attestation": Node({"attestation": 16}),
}
HELD = Holdings("app", {"1": "one", "2": "two", "latest": "two", "all": "index"}, NODES, {"bad": "why"})


def test_an_index_leads_to_its_images_and_attestations() -> None:
    assert HELD.manifests("index")[0] == "index"
    assert set(HELD.manifests("index")) == {"index", "one", "three", "missing", "attestation"}
    blobs = {"index": 4, "one": 1, "base": 1000, "a": 10, "three": 8, "c": 40, "attestation": 16}
    assert HELD.blobs("index") == blobs
    assert HELD.bytes_of(["all"]) == sum(blobs.values())


def test_what_tags_share_counts_once() -> None:
    assert HELD.bytes_of(["1", "2", "latest"]) == 1000 + 11 + 22
    assert HELD.bytes_of(["1", "all"]) == HELD.bytes_of(["all"])
    assert HELD.bytes_of(["bad", "not-there"]) == HELD.bytes_of([]) == 0


def test_alone_is_what_no_other_tag_leads_to() -> None:
    assert HELD.bytes_alone(["1"]) == 0  # the index leads to it as well
    assert HELD.bytes_alone(["2"]) == 0  # latest is the same
    assert HELD.bytes_alone(["2", "latest"]) == 22
    assert HELD.bytes_alone(["all"]) == 4 + 48 + 16
    assert HELD.bytes_alone(["all", "1"]) == 4 + 48 + 16 + 11
    assert HELD.bytes_alone(["bad", "not-there"]) == 0
    assert HELD.bytes_alone(HELD.digests) == HELD.bytes_of(HELD.digests)


def test_of_one_manifest() -> None:
    assert HELD.bytes_of_one("three") == 48
    assert HELD.bytes_of_one("one") == 0  # a tag and an index lead to it
    assert HELD.bytes_of_one("two") == 22
    assert HELD.tags_of("two") == {"2", "latest"}
    assert HELD.tags_of("three") == frozenset()


def test_a_referrer_that_leads_back() -> None:
    held = Holdings("app", {"1": "a"}, {"a": Node({"a": 1}, ("b",)), "b": Node({"b": 2}, ("a", "b"))})
    assert held.manifests("a") == ("a", "b")
    assert held.bytes_alone(["1"]) == 3


NAMES = "abcdef"
GRAPHS = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(
        lambda blobs, to: (blobs, to), st.sets(st.sampled_from("xyz")), st.lists(st.sampled_from(NAMES), max_size=3)
    ),
)


@given(GRAPHS, st.dictionaries(st.sampled_from("1234567"), st.sampled_from(NAMES)), st.sets(st.sampled_from("1234567")))
def test_alone_is_all_without_what_the_others_lead_to(
    graph: dict[str, tuple[set[str], list[str]]], digests: dict[str, str], going: set[str]
) -> None:
    sizes = {name: 2**at for at, name in enumerate(NAMES + "xyz")}  # a sum tells what is in it
    nodes = {
        name: Node({name: sizes[name], **{blob: sizes[blob] for blob in blobs}}, tuple(to))
        for name, (blobs, to) in graph.items()
    }
    held = Holdings("app", digests, nodes)
    staying = [tag for tag in digests if tag not in going]
    assert held.bytes_alone(going) == held.bytes_of(digests) - held.bytes_of(staying)
    for digest in set(digests.values()):
        assert held.bytes_of_one(digest) == held.bytes_alone(held.tags_of(digest))
