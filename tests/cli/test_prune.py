"""`devreg prune`: a plan, and what is made of it."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Run, Serve
from tests.http.deleting_registry import REPOSITORY, UNSUPPORTED, Deleting
from tests.http.server import Answer, Asked, error_answer, json_answer


@pytest.fixture
def script() -> Deleting:
    """1.0 to 1.3, each a month younger than the one before."""
    script = Deleting()
    for number in range(4):
        script.image(f"1.{number}", created=f"2024-0{number + 1}-01T00:00:00Z", layer=f"layer {number}")
    return script


def test_a_plan_for_scripts(run: Run, serve: Serve, script: Deleting) -> None:
    server = serve(script)
    before = dict(script.tags)
    outcome = run("prune", REPOSITORY, "--keep", "2")
    assert outcome.code == 0
    assert [line.split(maxsplit=4) for line in outcome.out.splitlines()] == [
        ["1.1", before["1.1"], "2024-02-01T00:00:00Z", "delete", "not one of the 2 newest"],
        ["1.0", before["1.0"], "2024-01-01T00:00:00Z", "delete", "not one of the 2 newest"],
        ["1.3", before["1.3"], "2024-04-01T00:00:00Z", "keep", "one of the 2 newest"],
        ["1.2", before["1.2"], "2024-03-01T00:00:00Z", "keep", "one of the 2 newest"],
    ]
    assert "nothing was changed: --apply does it" in outcome.err
    assert {asked.method for asked in server.asked} <= {"GET", "HEAD"}
    assert script.tags == before


def test_several_repositories_are_told_apart(run: Run, serve: Serve, script: Deleting) -> None:
    server = serve(script)
    outcome = run("prune", REPOSITORY, f"{server.host}/{REPOSITORY}", "--keep", "3")
    assert outcome.out.count(f"{REPOSITORY} ") == 0, "both are the same one"


def test_a_plan_as_json(run: Run, serve: Serve, script: Deleting) -> None:
    serve(script)
    document = run("prune", REPOSITORY, "--keep", "2", "--json").document
    assert (document["ok"], document["changed"]) == (True, False)
    (plan,) = document["data"]["repositories"]
    assert document["data"]["done"] == []
    assert plan["repository"] == REPOSITORY
    assert {tag["name"]: tag["by"] for tag in plan["tags"]} == {
        "1.0": "manifest",
        "1.1": "manifest",
        "1.2": None,
        "1.3": None,
    }
    assert set(plan["manifests"]) == {script.tags["1.0"], script.tags["1.1"]}
    assert plan["frees"] > 0


def test_it_is_carried_out(run: Run, serve: Serve, script: Deleting) -> None:
    server = serve(script)
    before = dict(script.tags)
    outcome = run("prune", REPOSITORY, "--older-than", "2024-02-15", "--apply", "--yes")
    assert outcome.code == 0
    assert set(script.tags) == {"1.2", "1.3"}
    assert set(script.manifests) == {before["1.2"], before["1.3"]}
    assert "2 tags and 2 manifests to delete" in outcome.err
    assert "garbage-collect" in outcome.err
    assert f"{server.host}/{REPOSITORY}:1.0 " in outcome.out
    again = run("prune", REPOSITORY, "--older-than", "2024-02-15", "--apply")
    assert (again.code, again.out) == (0, "")
    assert "nothing to do" in again.err


@pytest.mark.parametrize("kind", ["2.8", "3", "zot"])
def test_a_digest_of_a_kept_tag_stays(run: Run, serve: Serve, script: Deleting, kind: str) -> None:
    script.kind = kind  # type: ignore[assignment]
    script.tags |= {"release": script.tags["1.0"]}
    before = dict(script.tags)
    serve(script)
    words = ("prune", REPOSITORY, "--keep", "2", "--keep-tags", "rel*", "--apply", "--yes", "--json")
    (done,) = run(*words).data["done"]
    assert (set(done["tags"]), done["manifests"], done["along"]) == ({"1.0", "1.1"}, [before["1.1"]], [])
    assert script.tags == {tag: before[tag] for tag in ("1.2", "1.3", "release")}
    assert set(script.manifests) == set(script.tags.values())


def test_nobody_is_there_to_say_yes(run: Run, serve: Serve, script: Deleting) -> None:
    serve(script)
    outcome = run("prune", REPOSITORY, "--keep", "1", "--apply")
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert len(script.tags) == 4


@pytest.mark.parametrize(
    "words",
    [
        [REPOSITORY],
        [REPOSITORY, "--keep-tags", "*"],
        [REPOSITORY, "--keep", "0"],
        [REPOSITORY, "--older-than", "soon"],
        [f"{REPOSITORY}:1.0", "--keep", "1"],
    ],
)
def test_words_that_mean_nothing(run: Run, serve: Serve, script: Deleting, words: list[str]) -> None:
    server = serve(script)
    assert run("prune", *words).code == 2
    assert server.asked == []


def test_deletes_are_turned_off(run: Run, serve: Serve, script: Deleting) -> None:
    script.kind = "disabled"
    serve(script)
    assert run("prune", REPOSITORY, "--keep", "1").code == 0
    outcome = run("prune", REPOSITORY, "--keep", "1", "--apply", "--yes")
    assert outcome.code == 21
    assert "REGISTRY_STORAGE_DELETE_ENABLED" in outcome.err


def test_some_fail(run: Run, serve: Serve, script: Deleting) -> None:
    bad = script.tags["1.1"]
    script.before = lambda asked: UNSUPPORTED if asked.method == "DELETE" and bad in asked.path else None
    serve(script)
    outcome = run("prune", REPOSITORY, "--keep", "1", "--apply", "--yes")
    assert outcome.code == 1
    assert bad in outcome.err
    assert set(script.tags) == {"1.1", "1.3"}
    assert ":1.1" not in outcome.out


def test_a_tag_that_cannot_be_read_keeps_every_manifest(run: Run, serve: Serve, script: Deleting) -> None:
    script.put(b"nonsense", "text/plain", ("broken",))
    manifests = set(script.manifests)
    serve(script)
    outcome = run("prune", REPOSITORY, "--keep", "1")
    assert [line.split()[:1] + line.split()[3:4] for line in outcome.out.splitlines()][-1] == ["broken", "error"]
    assert outcome.code == 1
    assert "could not read broken: " in outcome.err
    document = run("prune", REPOSITORY, "--keep", "1", "--json").document
    assert (document["ok"], [error["code"] for error in document["errors"]]) == (False, ["partly-done"])
    outcome = run("prune", REPOSITORY, "--keep", "1", "--apply", "--yes")
    assert (outcome.code, "could not read broken: " in outcome.err) == (1, True)
    assert set(script.tags) == {"1.3", "broken"}
    assert set(script.manifests) == manifests, "tags went only"


def test_nothing_could_be_read_is_not_nothing_to_do(run: Run, serve: Serve, script: Deleting) -> None:
    script.before = lambda asked: error_answer(403, "DENIED") if "/manifests/" in asked.path else None
    serve(script)
    outcome = run("prune", REPOSITORY, "--keep", "1")
    assert (outcome.code, "nothing to do" in outcome.err) == (1, False)


def test_a_tag_that_leads_nowhere_keeps_nothing(run: Run, serve: Serve, script: Deleting) -> None:
    """Its manifest was deleted behind the registry's back."""
    script.tags["dangling"] = "sha256:" + "0" * 64
    serve(script)
    (plan,) = run("prune", REPOSITORY, "--keep", "1", "--json").data["repositories"]
    assert (len(plan["manifests"]), plan["unread"]) == (3, {})


def test_what_is_pushed_after_the_plan_was_shown_stays(run: Run, serve: Serve, script: Deleting) -> None:
    """One more tag on an image that was to go, and a tag that stands for another image."""
    old = script.tags["1.0"]
    listed: list[Asked] = []

    def pushes(asked: Asked) -> Answer | None:
        if asked.path.endswith("/tags/list"):
            listed.append(asked)
            if len(listed) == 2:
                script.tags["release"] = old
                script.image("1.1", created="2024-01-01T00:00:00Z", layer="new")
        return None

    script.before = pushes
    serve(script)
    outcome = run("prune", REPOSITORY, "--keep", "1", "--apply", "--yes")
    assert outcome.code == 0
    assert set(script.tags) == {"release", "1.1", "1.3"}
    assert script.tags["release"] == old
    assert old in script.manifests


def test_manifests_whose_tag_was_seen_and_has_moved(run: Run, serve: Serve, script: Deleting) -> None:
    old = script.tags["1.0"]
    serve(script)
    run("tags", REPOSITORY)
    script.image("1.0", layer="new")
    outcome = run("prune", REPOSITORY, "--untagged")
    assert ["-", old, "-", "delete", "has no tag"] in [line.split(maxsplit=4) for line in outcome.out.splitlines()]
    assert run("prune", REPOSITORY, "--untagged", "--apply", "--yes").code == 0
    assert old not in script.manifests
    assert len(script.tags) == 4


@pytest.mark.parametrize("by_name", [True, False])
def test_what_a_kept_artifact_refers_to_stays(run: Run, serve: Serve, script: Deleting, by_name: bool) -> None:
    """It says so itself, or its tag does."""
    old = script.tags["1.0"]
    tag = f"{old.replace(':', '-')}.sig" if by_name else "sbom"
    if by_name:
        script.image(tag, layer="signature")
    else:
        script.artifact(old, tag)
    serve(script)
    words = ("prune", REPOSITORY, "--keep", "1", "--keep-tags", "sha256-*", "--keep-tags", "sbom", "--apply", "--yes")
    assert run(*words).code == 0
    assert set(script.tags) == {"1.3", tag}
    assert old in script.manifests


def hiding(asked: Asked) -> Answer | None:
    """A registry that lets nobody see what refers to a manifest."""
    return error_answer(403, "DENIED", "no right") if "/referrers/" in asked.path else None


def test_referrers_that_nobody_may_see_are_told_of(run: Run, serve: Serve, script: Deleting) -> None:
    script.before = hiding
    old, new = script.tags["1.0"], script.tags["1.3"]
    sbom = script.artifact(new, "sbom")  # as old as what it refers to
    server = serve(script)
    words = ("prune", REPOSITORY, "--keep", "1", "--keep-tags", "1.3")
    shown = run(*words)
    assert (shown.code, len(shown.out.splitlines())) == (0, 5)
    assert (
        "signatures and the like that have no tag stay behind, for they cannot be listed:\n  cannot list" in shown.err
    )
    assert sum("/referrers/" in asked.path for asked in server.asked) <= 8, "those under way"
    (plan,) = run(*words, "--json").data["repositories"]
    assert "403 Forbidden (DENIED: no right)" in plan["unlisted"]
    done = run(*words, "--apply", "--yes")
    assert (done.code, "stay behind" in done.err) == (0, True)
    assert old not in script.manifests
    assert {new, sbom} <= set(script.manifests), "what says that it refers to something kept is not lost"


def test_what_goes_is_not_what_was_agreed_to_without_its_referrers(run: Run, serve: Serve, script: Deleting) -> None:
    """Somebody takes the right to see them away while the plan is looked at."""
    asked_twice: list[Asked] = []

    def before(asked: Asked) -> Answer | None:
        if asked.path.endswith("/tags/list"):
            asked_twice.append(asked)
        return hiding(asked) if len(asked_twice) == 2 else None

    script.before = before
    before_all = dict(script.tags)
    serve(script)
    outcome = run("prune", REPOSITORY, "--keep", "1", "--apply", "--yes")
    assert (outcome.code, "cannot be seen any more; nothing was changed" in outcome.err) == (24, True)
    asked_twice.clear()
    outcome = run("rm", f"{REPOSITORY}:1.0", "--digest", "--yes")
    assert (outcome.code, "cannot be seen any more; nothing was changed" in outcome.err) == (24, True)
    assert script.tags == before_all


def test_a_signature_goes_when_what_it_signs_is_not_there(run: Run, serve: Serve, script: Deleting) -> None:
    there, gone = script.image(layer="untagged"), "sha256:" + "0" * 64
    for digest in (there, gone):
        script.image(f"{digest.replace(':', '-')}.sig", layer=f"signature of {digest}")
    serve(script)
    assert run("prune", REPOSITORY, "--untagged", "--apply", "--yes").code == 0
    assert {tag for tag in script.tags if tag.startswith("sha")} == {f"{there.replace(':', '-')}.sig"}


def test_an_image_without_a_date_stays(run: Run, serve: Serve, script: Deleting) -> None:
    script.image("undated", created="", layer="undated")
    serve(script)
    outcome = run("prune", REPOSITORY, "--older-than", "1d")
    assert [line.split()[0] for line in outcome.out.splitlines() if " keep " in line] == ["undated"]


def test_a_repository_that_is_not_there(run: Run, serve: Serve) -> None:
    serve(lambda _: json_answer({"errors": [{"code": "NAME_UNKNOWN"}]}, 404))
    assert run("prune", "nothing", "--keep", "1").code == 22
