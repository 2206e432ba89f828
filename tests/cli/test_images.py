"""`devreg tag` and `devreg pull`, with an engine that answers at a real socket."""

from __future__ import annotations

import hashlib

import pytest

from devreg.model.manifest import DOCKER_IMAGE
from tests.cli.conftest import NOBODY, Run, Serve
from tests.cli.registry import DIGEST as MANIFEST_DIGEST
from tests.cli.registry import MANIFEST
from tests.cli.registry import answer as dated
from tests.cli.test_latest import A, holding
from tests.http.server import Answer, Asked, error_answer, json_answer
from tests.unit.engine.fake import DIGEST, FakeEngine


@pytest.fixture(autouse=True)
def images(fake: FakeEngine) -> None:
    fake.images |= {"app:1": "sha256:1", "other:2": "sha256:2", "reg.example:5000/team/app:1": "sha256:1"}


@pytest.mark.parametrize(
    ("words", "reference"),
    [
        (("app:1",), f"{NOBODY}/app:1"),
        (("app:1", "--registry", "reg:1"), "reg:1/app:1"),
        (("app:1", "team/tool:2"), f"{NOBODY}/team/tool:2"),
        (("reg.example:5000/team/app:1",), "reg.example:5000/team/app:1"),
    ],
)
def test_tag(run: Run, fake: FakeEngine, words: tuple[str, ...], reference: str) -> None:
    outcome = run("tag", *words)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{reference}\n", "")
    assert fake.images[reference] == "sha256:1"
    assert run("tag", *words, "--json").data == {"image": words[0], "reference": reference}


def test_pull(run: Run, fake: FakeEngine) -> None:
    outcome = run("pull", "team/app:1")
    assert (outcome.code, outcome.out) == (0, f"{NOBODY}/team/app@{DIGEST}\n")
    assert f"{NOBODY}/team/app:1" in fake.images


def test_pull_as_json(run: Run, fake: FakeEngine) -> None:
    first = run("pull", "team/app:1", "--json")
    pulled = {"reference": f"{NOBODY}/team/app:1", "digest": DIGEST, "changed": True}
    assert first.data == {**pulled, "pulled": [pulled]}
    fake.pull_lines[-1] = {"status": "Status: Image is up to date for team/app:1"}
    assert run("pull", "team/app:1", "--json").document["changed"] is False


def test_a_pull_that_fails(run: Run, fake: FakeEngine) -> None:
    fake.pull_lines = [{"error": "manifest unknown"}]
    outcome = run("pull", "team/app:1")
    assert outcome.code == 22
    assert outcome.out == ""
    assert f"devreg tags {NOBODY}/team/app" in outcome.err


TAGS = dict.fromkeys(("1.9", "1.10", "2.0", "2.1-rc.1", "latest"), DIGEST)


def pulled(fake: FakeEngine) -> list[str]:
    """The names that the engine was told to pull, without their registry, in their order."""
    asked = [each.query for each in fake.requests("POST", "/images/create$")]
    return [f"{each['fromImage'].partition('/')[2]}:{each['tag']}" for each in asked]


def test_tags_that_match_a_glob(run: Run, fake: FakeEngine, serve: Serve) -> None:
    server = serve(holding({**TAGS, "1.bad\x1b": DIGEST}))
    outcome = run("pull", "team/app:1.*")
    assert (outcome.code, outcome.out) == (0, f"{server.host}/team/app@{DIGEST}\n" * 2)
    assert pulled(fake) == ["team/app:1.9", "team/app:1.10"]


@pytest.mark.parametrize(
    ("words", "tag"),
    [
        (("team/app", "--newest"), "2.0"),
        (("team/app", "--newest", "--filter", "1.*"), "1.10"),
        (("team/app:1.*", "--newest"), "1.10"),
        (("team/app:2.*", "--newest", "--filter", "*-rc*"), "2.1-rc.1"),
    ],
)
def test_the_newest_version(run: Run, fake: FakeEngine, serve: Serve, words: tuple[str, ...], tag: str) -> None:
    serve(holding(TAGS))
    assert run("pull", *words).code == 0
    assert pulled(fake) == [f"team/app:{tag}"]


def test_what_was_made_last_where_no_tag_is_a_version(run: Run, fake: FakeEngine, serve: Serve) -> None:
    def script(asked: Asked) -> Answer:
        if asked.path == "/v2/half/tags/list":
            return json_answer({"tags": ["broken", "stable"]})
        return dated(asked)

    server = serve(script)
    outcome = run("pull", "half", "--newest")
    assert pulled(fake) == ["half:stable"]
    assert "broken" not in outcome.out
    fake.asked.clear()
    outcome = run("pull", f"{server.host}/half:b*", "--newest")
    assert (outcome.code, pulled(fake)) == (22, [])
    assert "no tag of" in outcome.err


def test_no_tag_matches(run: Run, fake: FakeEngine, serve: Serve) -> None:
    serve(holding(TAGS))
    outcome = run("pull", "team/app:9.*")
    assert (outcome.code, outcome.out, pulled(fake)) == (22, "", [])
    assert "has no tag that matches 9.*" in outcome.err


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("app:1", "--newest"), "is one image"),
        (("app@sha256:" + "0" * 64, "--newest"), "is one image"),
        (("app", "--filter", "1.*"), "--filter is for --newest"),
        (("app*:1",), "lower-case words"),
    ],
)
def test_what_makes_no_sense_together(run: Run, fake: FakeEngine, words: tuple[str, ...], fault: str) -> None:
    outcome = run("pull", *words)
    assert (outcome.code, pulled(fake)) == (2, [])
    assert fault in outcome.err


def test_several(run: Run, fake: FakeEngine, serve: Serve) -> None:
    server = serve(holding(TAGS))
    outcome = run("pull", "team/app:1.10", "team/app:1.1*", "team/app", "--json")
    references = [f"{server.host}/team/app{tag}" for tag in (":1.10", "")]
    assert outcome.code == 0
    assert outcome.data == {"pulled": [{"reference": each, "digest": DIGEST, "changed": True} for each in references]}
    assert pulled(fake) == ["team/app:1.10", "team/app:latest"]


def test_a_part_that_fails_keeps_nothing_else_from_being_pulled(run: Run, fake: FakeEngine, serve: Serve) -> None:
    server = serve(holding({**TAGS, "2.0": A}))
    outcome = run("pull", "team/other:*", "team/app:2.0", "team/app:1.9")
    assert (outcome.code, outcome.out) == (1, f"{server.host}/team/app@{DIGEST}\n")
    assert "not all was pulled" in outcome.err
    document = run("pull", "team/other:*", "team/app:2.0", "team/app:1.9", "--json").document
    assert (document["ok"], len(document["data"]["pulled"])) == (False, 1)
    assert [each["code"] for each in document["errors"]] == ["not-found", "registry-unreachable"]
    assert pulled(fake)[:2] == ["team/app:2.0", "team/app:1.9"]
    assert run("pull", "team/other:*", "team/app:2.0").code == 22


def test_what_is_not_as_the_registry_has_it(run: Run, serve: Serve) -> None:
    serve(holding({"1": A}))
    outcome = run("pull", "team/app:1")
    assert (outcome.code, outcome.out) == (20, "")
    assert f"team/app:1 is {DIGEST} as pulled, and {A} in the registry" in outcome.err


def test_the_engines_digests_are_compared(run: Run, fake: FakeEngine, serve: Serve) -> None:
    """An image may have come under several digests: what the stream told is only one of them."""
    server = serve(holding({"1": A}))
    fake.repo_digests["sha256:2"] = [f"{server.host}/team/app@{DIGEST}", f"{server.host}/team/app@{A}"]
    assert run("pull", "team/app:1").code == 0
    fake.repo_digests["sha256:2"].pop()
    assert run("pull", "team/app:1").code == 20


def test_another_kind_of_digest_is_no_other_image(run: Run, fake: FakeEngine, serve: Serve) -> None:
    """Engines may know an image by its sha256 where the registry tells its sha512."""
    told = f"sha512:{hashlib.sha512(MANIFEST).hexdigest()}"
    server = serve(lambda _: Answer(200, MANIFEST, {"Content-Type": DOCKER_IMAGE, "Docker-Content-Digest": told}))
    for held in (MANIFEST_DIGEST, told):
        fake.repo_digests["sha256:2"] = [f"{server.host}/team/app@{held}"]
        outcome = run("pull", "team/app:1")
        assert outcome.code == 0, outcome.err
    fake.repo_digests["sha256:2"] = [f"{server.host}/team/app@{A}"]
    outcome = run("pull", "team/app:1")
    assert (outcome.code, f"and {told} in the registry" in outcome.err) == (20, True)


@pytest.mark.parametrize("answer", [error_answer(403, "DENIED"), error_answer(404, "MANIFEST_UNKNOWN")])
def test_what_devreg_cannot_ask_for_is_pulled_all_the_same(run: Run, serve: Serve, answer: Answer) -> None:
    serve(holding({"1": answer}))
    outcome = run("pull", "team/app:1")
    assert outcome.code == 0
    assert "was not compared with the registry's" in outcome.err
