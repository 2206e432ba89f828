"""`devreg latest`: what a tag stands for, and the newest version, in one line for scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from devreg.model.manifest import OCI_INDEX
from tests.cli.conftest import Run, Serve
from tests.http.server import Answer, Asked, error_answer, json_answer

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
TAGS = {"1.9": A, "1.10": B, "1.10.0": B, "1": B, "2.0-rc.1": C, "latest": B, "nightly": C}


def holding(
    tags: Mapping[str, str | Answer], listed: list[str] | None = None, repository: str = "team/app"
) -> Callable[[Asked], Answer]:
    """A registry of one repository: the digest of each tag, or how it is answered. `listed`: the tags in its list."""

    def script(asked: Asked) -> Answer:
        if asked.path == f"/v2/{repository}/tags/list":
            return json_answer({"tags": list(tags) if listed is None else listed})
        place, _, tag = asked.path.rpartition("/")
        found = tags.get(tag, error_answer(404, "MANIFEST_UNKNOWN")) if place == f"/v2/{repository}/manifests" else None
        if isinstance(found, str):
            headers = {"Content-Type": OCI_INDEX, "Docker-Content-Digest": found, "Content-Length": "2"}
            return Answer(200, b"{}" if asked.method == "GET" else b"", headers)
        return found or error_answer(404, "NAME_UNKNOWN")

    return script


def test_one_line_for_scripts(run: Run, serve: Serve) -> None:
    server = serve(holding(TAGS))
    outcome = run("latest", "team/app")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"latest  {B}  1.10.0  1.10,1.10.0,1\n"
    assert run("latest", f"{server.host}/team/app:latest").out == outcome.out
    manifests = [line for line in server.lines if "/manifests/" in line]
    assert len(manifests) == 2 * len(TAGS)
    assert all(line.startswith("HEAD ") for line in manifests)


def test_as_json(run: Run, serve: Serve) -> None:
    serve(holding(TAGS))
    outcome = run("latest", "team/app:1.9", "--json")
    assert (outcome.code, outcome.document["ok"], outcome.document["command"]) == (0, True, "latest")
    assert outcome.data == {
        "repository": "team/app",
        "tag": "1.9",
        "digest": A,
        "same": [],
        "newest": {"name": "1.10.0", "digest": B},
        "up_to_date": False,
        "unread": {},
    }
    assert run("latest", "team/app", "--json").data["up_to_date"] is True


def test_no_such_tag_and_still_the_newest_version(run: Run, serve: Serve) -> None:
    serve(holding({"1.9": A, "1.10": B}))
    outcome = run("latest", "team/app")
    assert (outcome.code, outcome.out) == (0, "latest  -  1.10  -\n")
    assert outcome.err == "team/app has no tag latest\n"
    data = run("latest", "team/app", "--json").data
    assert (data["digest"], data["newest"], data["up_to_date"]) == (None, {"name": "1.10", "digest": B}, None)


def test_no_version(run: Run, serve: Serve) -> None:
    serve(holding({"latest": A, "stable": A}))
    assert run("latest", "team/app").out == f"latest  {A}  -  stable\n"
    data = run("latest", "team/app", "--json").data
    assert (data["newest"], data["up_to_date"]) == (None, None)


def test_pre_releases_where_there_is_nothing_else(run: Run, serve: Serve) -> None:
    serve(holding({"2.0-rc.2": A, "2.0-rc.10": B}))
    assert run("latest", "team/app").out.split() == ["latest", "-", "2.0-rc.10", "-"]


def test_neither_the_tag_nor_a_version(run: Run, serve: Serve) -> None:
    serve(holding({"nightly": A}))
    outcome = run("latest", "team/app")
    assert (outcome.code, outcome.out) == (22, "")
    assert "has no tag latest, and none that is a version" in outcome.err


def test_no_such_repository(run: Run, serve: Serve) -> None:
    serve(holding(TAGS))
    assert run("latest", "team/other").code == 22


def test_a_tag_that_the_list_lacks(run: Run, serve: Serve) -> None:
    serve(holding(TAGS, listed=["1.10"]))
    assert run("latest", "team/app").out == f"latest  {B}  1.10  1.10\n"


def test_a_tag_that_went_away_meanwhile(run: Run, serve: Serve) -> None:
    serve(holding({"latest": A, "1.0": A}, listed=["latest", "1.0", "2.0"]))
    outcome = run("latest", "team/app")
    assert (outcome.code, outcome.out) == (0, f"latest  {A}  1.0  1.0\n")


def test_tags_that_cannot_be_read(run: Run, serve: Serve) -> None:
    serve(
        holding({"latest": A, "1.0": A, "2.0": error_answer(403, "DENIED")}, listed=["latest", "1.0", "2.0", "\x1b[1m"])
    )
    outcome = run("latest", "team/app")
    assert (outcome.code, outcome.out) == (1, f"latest  {A}  1.0  1.0\n")
    assert "could not read 2.0, \\x1b[1m: " in outcome.err
    document = run("latest", "team/app", "--json").document
    assert (document["ok"], sorted(document["data"]["unread"])) == (False, ["\x1b[1m", "2.0"])
    assert [error["code"] for error in document["errors"]] == ["partly-done"] * 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [(error_answer(500, "UNKNOWN"), 20), (error_answer(403, "DENIED"), 21), (Answer(reset=True), 20)],
)
def test_nothing_could_be_read(run: Run, serve: Serve, answer: Answer, code: int) -> None:
    """That is not the same as that nothing is there."""
    tags = {"1.0": answer, "latest": answer}
    serve(holding(tags, listed=["1.0", "\x1b[1m"]))
    assert run("latest", "team/app").code == code
    document = run("latest", "team/app", "--json").document
    assert (document["ok"], document["errors"][0]["code"] != "not-found") == (False, True)


def test_a_name_in_the_list_that_is_none_is_no_error_of_the_registry(run: Run, serve: Serve) -> None:
    serve(holding({"nightly": A}, listed=["nightly", "\x1b[1m"]))
    assert run("latest", "team/app").code == 22


def test_the_tag_itself_could_not_be_read(run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(holding({"1.0": A, "latest": error_answer(403, "DENIED")}))
    outcome = run("latest", "team/app")
    assert (outcome.code, outcome.out) == (1, "latest  -  1.0  -\n")
    assert "has no tag" not in outcome.err
    monkeypatch.setattr("devreg.output.console.is_terminal", lambda: True)
    assert "digest  it could not be read " in run("latest", "team/app").out


@pytest.mark.parametrize(
    ("word", "fault"), [(f"team/app@{A}", "names a digest"), ("team/app:1.*", "not a tag"), ("Team", "lower case")]
)
def test_what_is_no_tag(run: Run, word: str, fault: str) -> None:
    outcome = run("latest", word)
    assert outcome.code == 2
    assert fault in outcome.err


def test_for_people(run: Run, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(holding(TAGS))
    monkeypatch.setattr("devreg.output.console.is_terminal", lambda: True)
    lines = [line.rstrip() for line in run("latest", "team/app").out.splitlines()]
    assert lines == [
        "tag     latest",
        f"digest  {B}",
        "same    1.10, 1.10.0, 1",
        "newest  1.10.0, of the same digest",
    ]
    behind = [line.rstrip() for line in run("latest", "team/app:1.9").out.splitlines()]
    assert behind[2:] == ["same    no other tag", "newest  1.10.0", f"        {B}"]
