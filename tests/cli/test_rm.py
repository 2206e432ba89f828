"""`devreg rm`: what is asked, told and deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from tests.cli.conftest import Run, Serve
from tests.http.deleting_registry import REPOSITORY, UNSUPPORTED, Deleting
from tests.http.server import Answer, Asked, error_answer


@pytest.fixture
def script() -> Deleting:
    return Deleting()


def test_a_tag_and_nothing_else(run: Run, serve: Serve, script: Deleting) -> None:
    digest = script.image("1.0", "stable")
    server = serve(script)
    outcome = run("rm", f"{REPOSITORY}:stable", "--yes")
    assert (outcome.code, outcome.out) == (0, f"{server.host}/{REPOSITORY}:stable  tag\n")
    assert "the tag stable alone" in outcome.err
    assert script.tags == {"1.0": digest}
    assert digest in script.manifests


def test_a_manifest_with_every_tag_on_it_which_are_named_first(run: Run, serve: Serve, script: Deleting) -> None:
    digest, other = script.image("1.0", "stable"), script.image("2.0", layer="2")
    server = serve(script)
    outcome = run("rm", "--digest", f"{REPOSITORY}:stable", "--yes")
    assert outcome.code == 0
    name = f"{server.host}/{REPOSITORY}"
    assert [line.split() for line in outcome.out.splitlines()] == [
        [f"{name}:1.0", "tag"],
        [f"{name}:stable", "tag"],
        [f"{name}@{digest}", "manifest"],
    ]
    assert f"{digest[7:19]} with its tags 1.0, stable" in outcome.err
    assert "garbage-collect" in outcome.err
    assert script.tags == {"2.0": other}


def test_a_digest_means_the_manifest(run: Run, serve: Serve, script: Deleting) -> None:
    digest, other = script.image("1.0", "stable"), script.image("2.0", layer="2")
    untagged = script.image(layer="3")
    serve(script)
    assert run("rm", f"{REPOSITORY}@{digest}", f"{REPOSITORY}@{untagged}", "--yes").code == 0
    assert set(script.manifests) == {other}


def test_several_at_once_as_json(run: Run, serve: Serve, script: Deleting) -> None:
    digest, other = script.image("1.0", "stable"), script.image("2.0", layer="2")
    serve(script)
    outcome = run("rm", f"{REPOSITORY}:stable", f"{REPOSITORY}@{other}", "--yes", "--json")
    assert outcome.code == 0
    assert outcome.document["changed"] is True
    (plan,), (done,) = outcome.data["repositories"], outcome.data["done"]
    assert set(plan) == {"repository", "tags", "manifests", "loose", "frees", "unread", "unlisted"}
    assert plan["tags"][0].keys() == {"name", "digest", "created", "goes", "why", "by"}
    assert set(done) == {"repository", "tags", "manifests", "along", "frees"}
    assert (set(done["tags"]), done["manifests"]) == ({"stable", "2.0"}, [other])
    assert done["frees"] == plan["frees"] > 0
    assert script.tags == {"1.0": digest}


def test_what_would_be_deleted(run: Run, serve: Serve) -> None:
    script = Deleting("disabled")
    digest = script.image("1.0", "stable")
    server = serve(script)
    outcome = run("rm", "--digest", f"{REPOSITORY}:1.0", "--dry-run")
    assert (outcome.code, outcome.out) == (0, "")
    assert "1.0, stable" in outcome.err
    document = run("rm", f"{REPOSITORY}:1.0", "--dry-run", "--json").document
    assert document["changed"] is False
    assert document["data"]["done"] == []
    assert {asked.method for asked in server.asked} <= {"GET", "HEAD"}
    assert script.tags == {"1.0": digest, "stable": digest}


def test_nobody_is_there_to_say_yes(run: Run, serve: Serve, script: Deleting) -> None:
    digest = script.image("1.0")
    serve(script)
    outcome = run("rm", f"{REPOSITORY}:1.0")
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert script.tags == {"1.0": digest}


def test_a_repository_is_no_image(run: Run, serve: Serve, script: Deleting) -> None:
    server = serve(script)
    outcome = run("rm", REPOSITORY, "--yes")
    assert outcome.code == 2
    assert f"{REPOSITORY}:TAG" in outcome.err
    assert server.asked == []


def test_one_that_is_not_there_keeps_all(run: Run, serve: Serve, script: Deleting) -> None:
    digest = script.image("1.0")
    serve(script)
    assert run("rm", f"{REPOSITORY}:1.0", f"{REPOSITORY}:9", "--yes").code == 22
    assert script.tags == {"1.0": digest}


def test_a_tag_whose_manifest_is_lost(run: Run, serve: Serve, script: Deleting) -> None:
    """Garbage collection leaves such tags behind. The advice works: it is followed here."""
    script.image("1.0")
    script.tags["lost"] = f"sha256:{'0' * 64}"
    server = serve(script)
    outcome = run("rm", f"{REPOSITORY}:lost", "--yes")
    assert outcome.code == 22
    name = f"{server.host}/{REPOSITORY}"
    assert f"devreg retag {name}:OTHER lost; devreg rm {name}:lost" in outcome.err
    assert run("retag", f"{name}:1.0", "lost").code == 0
    assert run("rm", f"{name}:lost", "--yes").code == 0
    assert set(script.tags) == {"1.0"}


def test_a_tag_and_the_digest_that_it_should_stand_for(run: Run, serve: Serve, script: Deleting) -> None:
    digest, other = script.image("1.0"), script.image("2.0", layer="2")
    serve(script)
    outcome = run("rm", f"{REPOSITORY}:1.0@{other}", "--yes")
    assert outcome.code == 24
    assert digest in outcome.err
    assert run("rm", f"{REPOSITORY}:1.0@{digest}", "--yes").code == 0
    assert script.tags == {"2.0": other}
    assert digest in script.manifests


def test_a_tag_and_its_digest_of_another_kind(run: Run, serve: Serve, script: Deleting) -> None:
    digest = script.image("1.0")
    longer = f"sha512:{hashlib.sha512(script.manifests[digest][0]).hexdigest()}"
    serve(script)
    assert run("rm", f"{REPOSITORY}:1.0@sha512:{'0' * 128}", "--yes").code == 24
    assert run("rm", f"{REPOSITORY}:1.0@{longer}", "--yes").code == 0
    assert (script.tags, set(script.manifests)) == ({}, {digest})


@pytest.mark.parametrize("words", [["--digest", f"{REPOSITORY}:1.0"], [f"{REPOSITORY}:1.0"]])
def test_deletes_are_turned_off(run: Run, serve: Serve, words: list[str]) -> None:
    script = Deleting("disabled")
    script.image("1.0")
    server = serve(script)
    outcome = run("rm", *words, "--yes")
    assert outcome.code == 21
    assert "storage: {delete: {enabled: true}}" in outcome.err
    assert [asked.method for asked in server.asked if asked.method not in ("GET", "HEAD")] == ["DELETE"]


def test_what_an_index_needs(run: Run, serve: Serve, script: Deleting) -> None:
    child = script.image("amd64")
    index = script.index([child], "multi")
    serve(script)
    outcome = run("rm", "--digest", f"{REPOSITORY}:amd64", "--yes")
    assert outcome.code == 24
    assert f"needed by the index {index} ({REPOSITORY}:multi)" in outcome.err
    assert set(script.manifests) == {child, index}
    assert run("rm", f"{REPOSITORY}:amd64", "--yes").code == 0, "the tag alone may go"
    assert set(script.manifests) == {child, index}
    assert run("rm", f"{REPOSITORY}@{child}", f"{REPOSITORY}@{index}", "--yes").code == 0
    assert script.manifests == {}


def test_an_index_takes_its_images_along(run: Run, serve: Serve) -> None:
    script = Deleting("zot")  # which would not delete them before it
    child, shared = script.image(), script.image(layer="2")
    script.index([child, shared], "1")
    other = script.index([shared], "2")
    serve(script)
    assert run("rm", "--digest", f"{REPOSITORY}:1", "--yes").code == 0
    assert set(script.manifests) == {shared, other}


def test_a_tag_that_cannot_be_read(run: Run, serve: Serve, script: Deleting) -> None:
    """It may need anything: what it leads to is not known."""
    digest = script.image("1.0")
    script.put(b"nonsense", "text/plain", ("broken",))
    serve(script)
    outcome = run("rm", "--digest", f"{REPOSITORY}:1.0", "--yes")
    assert outcome.code == 24
    assert "broken" in outcome.err
    assert digest in script.manifests
    assert run("rm", f"{REPOSITORY}:broken", "--yes").code == 0
    assert run("rm", "--digest", f"{REPOSITORY}:1.0", "--yes").code == 0


def test_referrers_that_nobody_may_see_are_told_of(run: Run, serve: Serve, script: Deleting) -> None:
    digest = script.image("1.0")
    script.before = lambda asked: error_answer(401, "X") if "/referrers/" in asked.path else None
    serve(script)
    outcome = run("rm", f"{REPOSITORY}:1.0", "--digest", "--yes")
    assert outcome.code == 0
    assert "stay behind, for they cannot be listed:\n  cannot list what refers to" in outcome.err
    assert digest not in script.manifests


def pushing(script: Deleting, digest: str) -> Callable[[Asked], Answer | None]:
    """Somebody who gives an image one more tag while the plan is looked at."""
    listed: list[Asked] = []

    def before(asked: Asked) -> Answer | None:
        if asked.path.endswith("/tags/list"):
            listed.append(asked)
            if len(listed) == 2:
                script.tags["release"] = digest
        return None

    return before


def test_a_tag_that_comes_after_the_tags_were_named(run: Run, serve: Serve, script: Deleting) -> None:
    digest = script.image("1.0")
    script.before = pushing(script, digest)
    serve(script)
    outcome = run("rm", "--digest", f"{REPOSITORY}:1.0", "--yes")
    assert outcome.code == 24
    assert "nothing was changed" in outcome.err
    assert script.tags == {"1.0": digest, "release": digest}


def test_some_fail(run: Run, serve: Serve, script: Deleting) -> None:
    one, two = script.image("1.0"), script.image("2.0", layer="2")
    script.before = lambda asked: UNSUPPORTED if asked.method == "DELETE" and two in asked.path else None
    serve(script)
    words = ("rm", "--digest", f"{REPOSITORY}:1.0", f"{REPOSITORY}:2.0", "--yes", "--json")
    outcome = run(*words)
    assert outcome.code == 1
    assert outcome.document["ok"] is False
    assert [two in error["message"] for error in outcome.document["errors"]] == [True]
    assert outcome.data["done"][0]["manifests"] == [one]
    assert script.tags == {"2.0": two}


def test_names_that_a_registry_made_up(run: Run, serve: Serve, script: Deleting) -> None:
    """A tag with an escape in it is no tag. It is told, inert, and nothing is deleted beside it."""
    digest = script.image("1.0")
    script.tags["\x1b[31mred"] = digest
    serve(script)
    outcome = run("rm", "--digest", f"{REPOSITORY}:1.0", "--yes")
    assert outcome.code == 24
    assert "\x1b" not in outcome.err
    assert "red" in outcome.err
    assert "devreg rm" not in outcome.err  # which no such name can be given
    assert "without --digest" in outcome.err
