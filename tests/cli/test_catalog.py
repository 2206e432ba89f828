"""`devreg repos` and `devreg tags`: lines for scripts, and the fields of the contract."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from devreg.model.listing import Tag
from devreg.model.manifest import DOCKER_IMAGE, DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED, OCI_IMAGE, OCI_INDEX
from devreg.remote import facts
from tests.cli import registry
from tests.cli.conftest import Run, Serve
from tests.cli.test_tree import Repository
from tests.http.server import Answer, Asked, error_answer, json_answer

DIGEST = registry.DIGEST


def test_repos_one_a_line(run: Run, serve: Serve) -> None:
    server = serve(registry.answer)
    outcome = run("repos")
    assert (outcome.code, outcome.out, outcome.err) == (0, "team/app\nzoo\n", "")
    assert run("repos", server.host).out == outcome.out
    assert run("repos", f"http://{server.host}").out == outcome.out
    assert run("repos", "--registry", server.host).out == outcome.out


def test_repos_as_json(run: Run, serve: Serve) -> None:
    serve(registry.answer)
    assert run("repos", "--json").document == {
        "schema": "devreg/1",
        "command": "repos",
        "ok": True,
        "changed": False,
        "data": {"repositories": [{"name": "team/app"}, {"name": "zoo"}]},
        "errors": [],
    }


def test_an_empty_registry_is_nothing_on_stdout(run: Run, serve: Serve) -> None:
    serve(lambda _: json_answer({"repositories": []}))
    outcome = run("repos")
    assert (outcome.code, outcome.out) == (0, "")


def test_a_list_that_is_refused_has_no_title(run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(lambda _: error_answer(403, "DENIED"))
    monkeypatch.setattr("devreg.output.console.is_terminal", lambda: True)
    outcome = run("repos")
    assert (outcome.code, outcome.out) == (21, "")
    assert "not every registry offers this list" in outcome.err


def test_all_pages_are_followed(run: Run, serve: Serve) -> None:
    def pages(asked: Asked) -> Answer:
        number = int(asked.query.get("last", ["0"])[0])
        names = [f"r{number:02}{each}" for each in range(3)]
        link = {"Link": f'</v2/_catalog?last={number + 1}>; rel="next"'} if number < 4 else {}
        return json_answer({"repositories": names}, 200, **link)

    serve(pages)
    assert run("repos").out.count("\n") == 15


def test_a_glob_leaves_out_repositories(run: Run, serve: Serve) -> None:
    serve(registry.answer)
    assert run("repos", "--filter", "team/*").out == "team/app\n"
    assert run("repos", "--filter", "nothing").out == ""


@pytest.mark.parametrize("command", ["tags", "tree"])
def test_one_tag_is_no_repository(run: Run, command: str) -> None:
    outcome = run(command, "team/app:1")
    assert outcome.code == 2
    assert f"devreg {command} team/app --filter 1\n" in outcome.err
    assert run(command, f"team/app@{DIGEST}").code == 2


def test_one_of_several_repositories_that_is_not_there(run: Run, serve: Serve) -> None:
    server = serve(registry.answer)
    outcome = run("tags", "team/app", "nosuch", "--json")
    assert outcome.code == 1
    (unread,) = [row for row in outcome.data["tags"] if row["error"] and not row["name"]]
    assert unread["error"].endswith(f"devreg repos {server.host}")


def test_repos_with_details(run: Run, serve: Serve) -> None:
    serve(registry.answer)
    outcome = run("repos", "--details")
    app, zoo = (line.split() for line in outcome.out.splitlines())
    assert app == ["team/app", "2", str(registry.SIZE + len(registry.MANIFEST)), "2024-05-06T07:08:09Z"]
    assert zoo == ["zoo", "0", "0", "-"]
    assert run("repos", "--details", "--json").data["repositories"][1] == {
        "name": "zoo",
        "tags": 0,
        "size": 0,
        "updated": None,
        "error": None,
    }


def test_a_template_with_details_asks_for_them(run: Run, serve: Serve) -> None:
    server = serve(registry.answer)
    assert run("repos", "--format", r"{name:>9}\t.").out == " team/app\t.\n      zoo\t.\n"
    assert not [line for line in server.lines if "tags" in line]
    assert run("repos", "--format", "{name} {tags}").out == "team/app 2\nzoo 0\n"


def test_a_repository_that_cannot_be_read_in_full_is_partly_done(run: Run, serve: Serve) -> None:
    serve(lambda asked: json_answer({"repositories": ["half"]}) if "_catalog" in asked.path else registry.answer(asked))
    outcome = run("repos", "--details")
    assert outcome.code == 1
    assert outcome.out.startswith("half  2  ")
    assert "1 of 2 tags cannot be read" in outcome.out
    assert "could not read half: 1 of 2 tags cannot be read" in outcome.err
    assert run("repos", "--details", "--json").document["ok"] is False


def test_tags_in_a_pipe_are_aligned_without_a_header(run: Run, serve: Serve) -> None:
    serve(registry.answer)
    outcome = run("tags", "team/app")
    assert (outcome.code, outcome.err) == (0, "")
    first, second = (line.split() for line in outcome.out.splitlines())
    assert first[:6] == ["1.0", registry.DIGEST, str(registry.SIZE), "2024-05-06T07:08:09Z", "linux/arm64/v8", "image"]
    assert first[-1] == registry.LONG_TAG
    assert second[0] == registry.LONG_TAG


def test_tags_of_several_repositories(run: Run, serve: Serve) -> None:
    serve(registry.answer)
    outcome = run("tags", "team/app", "none", "half")
    assert outcome.code == 1
    assert [line.split()[:2] for line in outcome.out.splitlines()] == [
        ["half", "1.0"],
        ["team/app", "1.0"],
        ["team/app", registry.LONG_TAG],
        ["half", "broken"],
        ["none", "-"],
    ]
    assert "could not read none, half:broken: " in outcome.err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), ["new", "1.9", "1.10", "1.10-rc.1", "epoch"]),
        (("--reverse",), ["1.10", "1.10-rc.1", "1.9", "new", "epoch"]),
        (("--sort", "name"), ["1.9", "1.10", "1.10-rc.1", "epoch", "new"]),
        (("--sort", "semver"), ["1.10", "1.10-rc.1", "1.9", "epoch", "new"]),
        (("--sort", "size", "--limit", "1"), ["new"]),
        (("--since", "2024-02-01"), ["new", "1.9"]),
        (("--since", "1d"), []),
        (("--filter", "1.*", "-n", "2"), ["1.9", "1.10"]),
    ],
)
def test_order_and_choice_of_tags(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: Sequence[str], names: list[str]
) -> None:
    rows = (
        Tag("app", "1.10", DIGEST, 3, "2024-01-01T00:00:00Z"),
        Tag("app", "epoch", DIGEST, 2, "1970-01-01T00:00:00Z"),
        Tag("app", "1.9", DIGEST, 1, "2024-02-01T00:00:00Z"),
        Tag("app", "new", DIGEST, 4, "2024-03-01T00:00:00Z"),
        Tag("app", "1.10-rc.1", DIGEST, 3, "2024-01-01T00:00:00Z"),
    )

    def tags(*_names: object, pattern: str | None, **_rest: object) -> tuple[Tag, ...]:
        return tuple(row for row in rows if not pattern or row.name.startswith("1."))

    monkeypatch.setattr("devreg.actions.catalog.tags", tags)
    outcome = run("tags", "app", *words, "--format", "{name}")
    assert (outcome.code, outcome.out.split()) == (0, names)
    assert [each["name"] for each in run("tags", "app", *words, "--json").data["tags"]] == names


def test_schema_1_tells_when_and_for_what_it_was_made(run: Run, serve: Serve) -> None:
    shelf = Repository()
    step = {"created": "2015-05-06T07:08:09.1Z", "os": "linux", "architecture": "arm"}
    history = [{"v1Compatibility": json.dumps(step)}]
    shelf.put(DOCKER_SCHEMA1, {"schemaVersion": 1, "fsLayers": [], "history": history}, "old")
    shelf.put(DOCKER_SCHEMA1, {"schemaVersion": 1, "fsLayers": [], "history": "nonsense"}, "odd")
    serve(shelf)
    rows = {row["name"]: row for row in run("tags", "app", "--json").data["tags"]}
    assert (rows["old"]["created"], rows["old"]["platforms"]) == ("2015-05-06T07:08:09Z", ["linux/arm"])
    assert (rows["odd"]["created"], rows["odd"]["platforms"], rows["odd"]["error"]) == (None, [], None)


def test_no_tags_is_told_and_no_failure(run: Run, serve: Serve) -> None:
    serve(lambda _: json_answer({"name": "app", "tags": None}))
    outcome = run("tags", "app")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "no tags\n")
    serve(registry.answer)
    assert run("tags", "team/app", "--filter", "x*").err == "no tags that match\n"


def test_a_repository_without_tags_among_others_is_told(run: Run, serve: Serve) -> None:
    empty = json_answer({"name": "gone", "tags": None})
    serve(lambda asked: empty if asked.path == "/v2/gone/tags/list" else registry.answer(asked))
    outcome = run("tags", "gone", "team/app")
    assert (outcome.code, len(outcome.out.splitlines()), outcome.err) == (0, 2, "gone has no tags\n")


@pytest.mark.parametrize(
    "words",
    [
        ("tags", "app", "--format", "{nothing}"),
        ("tags", "app", "--format", "{name}", "--json"),
        ("repos", "--format", "{digest}"),
        ("tags", "app", "--since", "yesterday"),
        ("tags", "app", "--sort", "age"),
        ("tags", "app", "--limit", "0"),
        ("tags",),
    ],
)
def test_usage(run: Run, words: Sequence[str]) -> None:
    outcome = run(*words)
    assert outcome.code == 2
    assert "registry" not in outcome.err  # nothing was asked for first


def test_what_a_registry_calls_its_things_does_nothing_to_a_terminal(run: Run, serve: Serve) -> None:
    evil = "[red]x\x1b]0;t\x07\u202e\ud800"
    shown = r"[red]x\x1b]0;t\x07\u202e\ud800"

    def answer(asked: Asked) -> Answer:
        if "_catalog" in asked.path:
            return json_answer({"repositories": [evil]})
        return json_answer({"name": "app", "tags": [evil]})

    serve(answer)
    assert run("repos").out == f"{shown}\n"
    outcome = run("tags", "app")
    assert outcome.code == 1
    assert outcome.out.split()[0] == shown
    assert outcome.err.replace("\n", "").isprintable()
    assert run("tags", "app", "--format", "{name}").out == f"{shown}\n"
    assert run("tags", "app", "--json").data["tags"][0]["name"] == evil


def test_tags_as_json(run: Run, serve: Serve) -> None:
    serve(registry.answer)
    document = run("tags", "team/app", "--json").document
    assert (document["command"], document["ok"], document["errors"]) == ("tags", True, [])
    assert document["data"]["tags"][0] == {
        "repository": "team/app",
        "name": "1.0",
        "digest": registry.DIGEST,
        "size": registry.SIZE,
        "created": "2024-05-06T07:08:09Z",
        "platforms": ["linux/arm64/v8"],
        "media_type": DOCKER_IMAGE,
        "error": None,
        "kind": "image",
        "also": [registry.LONG_TAG],
        "referrers": 0,
    }


def test_a_repository_may_name_its_registry(run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(registry.answer)
    monkeypatch.delenv("DEVREG_REGISTRY")
    assert run("tags", f"{server.host}/team/app").code == 0


def test_a_tag_that_cannot_be_read_is_a_row_with_an_error(run: Run, serve: Serve) -> None:
    serve(registry.answer)
    document = run("tags", "half", "--json").document
    readable, broken = document["data"]["tags"]
    assert document["ok"] is False
    assert readable["error"] is None
    assert broken["name"] == "broken"
    assert broken["digest"] is None
    assert broken["error"] == "no longer there"
    assert document["errors"][0]["message"] == "broken: no longer there"
    assert run("tags", "half").out.splitlines()[1].split() == [
        "broken",
        "-",
        "-",
        "-",
        "-",
        "error",
        "no",
        "longer",
        "there",
    ]


def test_a_web_server_is_not_taken_for_a_registry(run: Run, serve: Serve) -> None:
    page = Answer(200, b"<html>Welcome to nginx!</html>", {"Content-Type": "text/html"})
    server = serve(lambda _: page)
    server.script = lambda _: page  # also for the ping
    outcome = run("repos")
    assert outcome.code == 20
    assert "not as a registry" in outcome.err


def test_signatures_under_tags_count_where_there_is_a_list_too(run: Run, serve: Serve) -> None:
    shelf = Repository()
    image = shelf.built("a")
    shelf.tag("1", image)
    tag = image["digest"].replace(":", "-")
    shelf.tag(f"{tag}.sig", shelf.built("b"))
    sbom = {"mediaType": OCI_IMAGE, "size": 7, "digest": f"sha256:{9:064x}"}
    shelf.put(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [sbom]}, tag)
    shelf.referrers = {image["digest"]: json.dumps({"manifests": [sbom]}).encode()}
    serve(shelf)
    (row,) = run("tags", "app", "--filter", "1", "--json").data["tags"]
    assert row["referrers"] == 2
    shelf.referrers = None
    (row,) = run("tags", "app", "--filter", "1", "--json").data["tags"]
    assert row["referrers"] == 2


@pytest.mark.parametrize("has_list", [True, False])
@pytest.mark.parametrize("pattern", ["1", "*"])
def test_tags_count_what_inspect_shows(run: Run, serve: Serve, has_list: bool, pattern: str) -> None:
    """Each referrer once, however it is known; tags that only look like one are none."""
    shelf = Repository()
    image, signature, attestation = (shelf.built(each) for each in "abc")
    shelf.tag("1", image)
    tag = image["digest"].replace(":", "-")
    about = {**attestation, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [signature, about]}
    shelf.put(OCI_INDEX, listed, tag)
    shelf.tag(f"{tag}.sig", signature)
    shelf.tag(f"{tag}.sbom", shelf.built("d"))
    shelf.tag(f"{tag}.locations", shelf.built("e"))
    if has_list:
        shelf.referrers = {image["digest"]: json.dumps(listed).encode()}
    serve(shelf)
    shown = run("inspect", "app:1", "--json").data["referrers"]
    rows = {row["name"]: row for row in run("tags", "app", "--filter", pattern, "--json").data["tags"]}
    assert rows["1"]["referrers"] == len(shown) == 3


def test_an_index_of_more_than_anybody_has_is_not_followed(
    run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "MAX_IMAGES", 3)
    shelf = Repository()
    entries = [shelf.built(each) for each in "abcd"]
    for tag, some in (("few", entries[:3]), ("many", entries)):
        shelf.put(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": some}, tag)
    serve(shelf)
    rows = {row["name"]: row for row in run("tags", "app", "--json").data["tags"]}
    assert rows["few"]["error"] is None
    assert "more than 3 images" in rows["many"]["error"]


def test_an_image_of_an_index_that_only_the_cache_has_takes_up_nothing(run: Run, serve: Serve) -> None:
    """It was deleted since, or the cache knows it from another repository."""
    shelf = Repository()
    entries = [shelf.built("a", "amd64"), shelf.built("bc", "arm64")]
    for tag in ("1", "2"):
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, "annotations": {"tag": tag}}
        shelf.put(OCI_INDEX, index, tag)
    server = serve(shelf)

    def sizes() -> set[int]:
        return {row["size"] for row in run("tags", "app", "--json").data["tags"]}

    whole = sizes()
    del shelf.manifests[entries[1]["digest"]]
    before = len(server.asked)
    (left,) = sizes()
    assert left < min(whole) - 2000
    assert run("inspect", "app:1", "--json").data["size"] == left
    assert "GET" not in {each.method for each in server.asked[before:] if each.path.endswith(entries[0]["digest"])}
    run("cache", "clear")
    assert sizes() == {left}


def test_manifests_without_a_digest_are_not_one(run: Run, serve: Serve) -> None:
    """Of signed schema 1 the digest cannot be told from the bytes."""
    signed = {"Content-Type": DOCKER_SCHEMA1_SIGNED}

    def answer(asked: Asked) -> Answer:
        if asked.path.endswith("/tags/list"):
            return json_answer({"tags": ["1", "2"]})
        if "/manifests/" in asked.path:
            return Answer(200, b'{"schemaVersion": 1}', signed)
        return error_answer(404, "UNKNOWN")

    serve(answer)
    rows = run("tags", "app", "--json").data["tags"]
    assert [(row["digest"], row["also"], row["kind"]) for row in rows] == [(None, [], "schema1")] * 2
