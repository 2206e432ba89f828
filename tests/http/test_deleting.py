"""Tags are taken away from registries that do it, and from those that do not, whatever goes wrong on the way."""

from __future__ import annotations

import pytest

from devreg.model.deletion_plan import Fate, Plan
from devreg.model.errors import (
    DevregError,
    NotAuthorized,
    NotFound,
    RefusedOverwrite,
    RegistryUnreachable,
    RollbackFailed,
)
from devreg.model.events import silent
from devreg.model.graph import Holdings, Node
from devreg.remote.deletion import carry_out, check_deletes, delete
from devreg.remote.untagging import untag
from tests.http.deleting_registry import REPOSITORY, RESET, UNSUPPORTED, Deleting
from tests.http.server import Answer, Asked, Open, Serve, error_answer

STEPS = [
    "HEAD stable",
    "DELETE stable",
    "GET manifest",
    "POST upload",
    "PUT upload",
    "PUT stable",
    "DELETE manifest, moved",
    "HEAD stable, gone",
]


def step(asked: Asked, script: Deleting, digest: str) -> str:
    """Which step of taking `stable` away a request is."""
    what = "stable" if asked.path.endswith("stable") else "manifest" if "/manifests/" in asked.path else "upload"
    now = script.tags.get("stable")
    return f"{asked.method} {what}" + ("" if now == digest else ", moved" if now else ", gone")


@pytest.mark.parametrize("kind", ["2.8", "3", "zot"])
def test_only_the_tag_goes(serve: Serve, opened: Open, kind: str) -> None:
    script = Deleting(kind)  # type: ignore[arg-type]
    digest, other = script.image("1.0", "stable"), script.image("2.0", layer="other")
    server = serve(script)
    untag(opened(server), REPOSITORY, "stable", digest)
    assert script.tags == {"1.0": digest, "2.0": other}
    assert set(script.manifests) == {digest, other}
    puts = [asked.path for asked in server.asked if asked.method == "PUT" and "/manifests/" in asked.path]
    assert puts == ([f"/v2/{REPOSITORY}/manifests/stable"] if kind == "2.8" else [])


def test_each_stand_in_is_like_no_other(serve: Serve, opened: Open) -> None:
    script = Deleting()
    digest = script.image("a")
    server = serve(script)
    for _ in range(2):
        untag(opened(server), REPOSITORY, "a", digest)
        script.image("a")
    bodies = [asked.body for asked in server.asked if asked.method == "PUT" and "/manifests/" in asked.path]
    assert len(set(bodies)) == 2
    assert set(script.manifests) == {digest}


@pytest.mark.parametrize("failing", STEPS)
@pytest.mark.parametrize(
    "fault", [error_answer(500, "UNKNOWN"), error_answer(403, "DENIED"), RESET], ids=["500", "403", "reset"]
)
def test_a_step_that_fails_leaves_the_tag_as_it_was(serve: Serve, opened: Open, failing: str, fault: Answer) -> None:
    """The registry always fails at one step. The tag is never left as the stand-in."""
    script = Deleting()
    digest = script.image("1.0", "stable")
    failed = []

    def before(asked: Asked) -> Answer | None:
        if step(asked, script, digest) != failing:
            return None
        failed.append(asked)
        return fault

    script.before = before
    with pytest.raises(DevregError) as caught:
        untag(opened(serve(script)), REPOSITORY, "stable", digest)
    assert failed
    assert script.tags == {"1.0": digest, "stable": digest}
    assert digest in script.manifests
    was_moved = failing in ("DELETE manifest, moved", "HEAD stable, gone")
    assert ("stable was put back" in caught.value.message) == was_moved, caught.value.message


@pytest.mark.parametrize(("kind", "what"), [("2.8", "sha256"), ("3", "stable")])
def test_a_lost_answer_to_the_deletion_is_as_good_as_one(serve: Serve, opened: Open, kind: str, what: str) -> None:
    script = Deleting(kind)  # type: ignore[arg-type]
    digest = script.image("1.0", "stable")
    script.after = lambda asked: RESET if asked.method == "DELETE" and what in asked.path else None
    untag(opened(serve(script)), REPOSITORY, "stable", digest)
    assert script.tags == {"1.0": digest}


@pytest.mark.parametrize("lost", ["PUT upload", "PUT stable, moved"])
def test_a_lost_answer_on_the_way_does_no_harm(serve: Serve, opened: Open, lost: str) -> None:
    script = Deleting()
    digest = script.image("1.0", "stable")
    answers = iter([RESET])
    script.after = lambda asked: next(answers, None) if step(asked, script, digest) == lost else None
    untag(opened(serve(script)), REPOSITORY, "stable", digest)
    assert script.tags == {"1.0": digest}
    assert next(answers, None) is None


def test_a_failure_that_stays_is_told_exactly(serve: Serve, opened: Open) -> None:
    """The stand-in cannot be deleted, and what was there before cannot be put back."""
    script = Deleting()
    digest = script.image("1.0", "stable")

    def before(asked: Asked) -> Answer | None:
        moved = script.tags["stable"] != digest
        return error_answer(500, "UNKNOWN") if moved and asked.method in ("DELETE", "PUT") else None

    script.before = before
    with pytest.raises(RollbackFailed) as caught:
        untag(opened(serve(script)), REPOSITORY, "stable", digest)
    stand_in = script.tags["stable"]
    assert stand_in != digest
    assert stand_in in caught.value.message
    assert f"{digest}, which it stood for, is still there" in caught.value.message
    assert f"devreg retag {REPOSITORY}@{digest} stable" in caught.value.hint


def test_ctrl_c_between_the_two_steps_puts_the_tag_back(
    serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Deleting()
    digest = script.image("1.0", "stable")
    registry = opened(serve(script))

    def interrupted(_repository: str, _digest: str) -> None:
        assert script.tags["stable"] != digest
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "delete_manifest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        untag(registry, REPOSITORY, "stable", digest)
    assert script.tags == {"1.0": digest, "stable": digest}


@pytest.mark.parametrize("kind", ["2.8", "3", "zot"])
def test_a_tag_that_has_moved_is_left_alone(serve: Serve, opened: Open, kind: str) -> None:
    script = Deleting(kind)  # type: ignore[arg-type]
    old, new = script.image("1.0"), script.image("stable", layer="new")
    with pytest.raises(RefusedOverwrite, match=f"it stands for {new}"):
        untag(opened(serve(script)), REPOSITORY, "stable", old)
    assert script.tags == {"1.0": old, "stable": new}


def test_a_tag_that_moves_at_the_last_moment_is_left_alone(serve: Serve, opened: Open) -> None:
    """After the stand-in's config is up; and after the stand-in itself is."""
    for method in ("PUT", "DELETE"):
        script = Deleting()
        old = script.image("1.0", "stable")

        def push(asked: Asked, script: Deleting = script, method: str = method) -> Answer | None:
            if asked.method == method and ("blobs" in asked.path or "sha256" in asked.path):
                script.image("stable", layer="new")
            return None

        script.before = push
        try:
            untag(opened(serve(script)), REPOSITORY, "stable", old)
        except RefusedOverwrite:
            assert method == "PUT"
        assert script.tags == {"1.0": old, "stable": script.image(layer="new")}


def test_a_tag_that_is_gone(serve: Serve, opened: Open) -> None:
    script = Deleting()
    digest = script.image("1.0")
    with pytest.raises(NotFound, match="gone already"):
        untag(opened(serve(script)), REPOSITORY, "stable", digest)


@pytest.mark.parametrize("kind", ["2.8", "3"])
def test_a_registry_that_only_says_that_it_deleted(serve: Serve, opened: Open, kind: str) -> None:
    script = Deleting(kind)  # type: ignore[arg-type]
    digest = script.image("1.0", "stable")

    def pretends(asked: Asked) -> Answer | None:
        tag = asked.path.endswith("stable")
        return Answer(202) if asked.method == "DELETE" and (kind == "3" or not tag) else None

    script.before = pretends
    with pytest.raises(RegistryUnreachable):
        untag(opened(serve(script)), REPOSITORY, "stable", digest)
    assert script.tags == {"1.0": digest, "stable": digest}


def test_deletes_that_are_turned_off_are_explained(serve: Serve, opened: Open) -> None:
    script = Deleting("disabled")
    script.image("1.0")
    with pytest.raises(NotAuthorized) as caught:
        check_deletes(opened(serve(script)), REPOSITORY)
    assert "REGISTRY_STORAGE_DELETE_ENABLED" in caught.value.hint
    assert "storage: {delete: {enabled: true}}" in caught.value.hint
    script.kind = "2.8"
    check_deletes(opened(serve(script)), REPOSITORY)


def test_a_manifest_that_is_gone_is_as_good_as_deleted(serve: Serve, opened: Open) -> None:
    script = Deleting()
    digest = script.image("1.0")
    server = serve(script)
    delete(opened(server), REPOSITORY, digest)
    delete(opened(server), REPOSITORY, digest)
    script.kind, digest = "disabled", script.image("1.0")
    with pytest.raises(NotFound):
        delete(opened(server), REPOSITORY, digest)


def planned(script: Deleting, *digests: str, alone: str = "") -> tuple[Plan, Holdings]:
    """To delete manifests with their tags, and one tag alone."""
    fates = tuple(
        Fate(tag, digest, None, digest in digests or tag == alone, "", "manifest" if digest in digests else "tag")
        for tag, digest in script.tags.items()
    )
    nodes = {digest: Node({digest: len(body)}) for digest, (body, _) in script.manifests.items()}
    return Plan(REPOSITORY, fates, digests), Holdings(REPOSITORY, dict(script.tags), nodes)


def test_some_of_a_plan_fails(serve: Serve, opened: Open) -> None:
    script = Deleting()
    one, two = script.image("1.0", "stable", layer="1"), script.image("2.0", layer="2")
    index = script.index([two], "multi")
    plan, holdings = planned(script, one, index, two)
    holdings = Holdings(REPOSITORY, holdings.digests, {**holdings.nodes, index: Node({index: 1}, (two,))})
    script.before = lambda asked: UNSUPPORTED if asked.method == "DELETE" and index in asked.path else None
    outcome = carry_out(opened(serve(script)), plan, holdings, silent)
    assert (outcome.tags, outcome.manifests) == (("1.0", "stable"), (one,))
    assert set(outcome.failed) == {index, two}, "what an index needs stays as long as it does"
    assert script.tags == {"2.0": two, "multi": index}


def test_after_some_failures_in_a_row_nothing_is_tried_any_more(serve: Serve, opened: Open) -> None:
    script = Deleting()
    digests = [script.image(f"1.{number}", layer=str(number)) for number in range(9)]
    plan, holdings = planned(script, *digests)
    script.before = lambda asked: UNSUPPORTED if asked.method == "DELETE" else None
    server = serve(script)
    outcome = carry_out(opened(server), plan, holdings, silent)
    assert sum(asked.method == "DELETE" for asked in server.asked) == 3
    assert set(outcome.failed) == set(digests)
    assert (outcome.tags, outcome.manifests, outcome.frees) == ((), (), 0)


def test_failures_now_and_then_stop_nothing(serve: Serve, opened: Open) -> None:
    script = Deleting()
    digests = [script.image(f"1.{number}", layer=str(number)) for number in range(9)]
    plan, holdings = planned(script, *digests)
    bad = digests[::2]
    script.before = lambda asked: UNSUPPORTED if asked.method == "DELETE" and asked.path[-71:] in bad else None
    outcome = carry_out(opened(serve(script)), plan, holdings, silent)
    assert list(outcome.failed) == bad
    assert outcome.manifests == tuple(digests[1::2])


def test_a_single_thing_to_delete_raises_what_hinders_it(serve: Serve, opened: Open) -> None:
    script = Deleting()
    plan, holdings = planned(script, script.image("1.0"))
    script.before = lambda asked: error_answer(403, "DENIED") if asked.method == "DELETE" else None
    with pytest.raises(NotAuthorized):
        carry_out(opened(serve(script)), plan, holdings, silent)


def test_zot_deletes_a_manifest_with_its_last_tag(serve: Serve, opened: Open) -> None:
    script = Deleting("zot")
    digest = script.image("1.0")
    plan, holdings = planned(script, alone="1.0")
    outcome = carry_out(opened(serve(script)), plan, holdings, silent)
    assert (outcome.tags, outcome.manifests, outcome.along) == (("1.0",), (), (digest,))


def test_a_tag_that_should_have_stayed_and_is_gone_is_told(serve: Serve, opened: Open) -> None:
    script = Deleting()
    going, staying = script.image("1.0"), script.image("2.0", layer="2")
    plan, holdings = planned(script, going)

    def loses_more(asked: Asked) -> Answer | None:
        if asked.method == "DELETE":
            script.tags.pop("2.0", None)
        return None

    script.before = loses_more
    outcome = carry_out(opened(serve(script)), plan, holdings, silent)
    assert {name: error.message for name, error in outcome.failed.items()} == {"2.0": "was to stay, and is gone"}
    assert staying in script.manifests
