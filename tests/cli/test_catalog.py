"""`devreg repos` and `devreg tags`: lines for scripts, and the fields of the contract."""

from __future__ import annotations

import pytest

from devreg.model.manifest import DOCKER_IMAGE
from tests.cli import registry
from tests.cli.conftest import Run, Serve
from tests.http.server import Answer, Asked, json_answer


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


def test_all_pages_are_followed(run: Run, serve: Serve) -> None:
    def pages(asked: Asked) -> Answer:
        number = int(asked.query.get("last", ["0"])[0])
        names = [f"r{number:02}{each}" for each in range(3)]
        link = {"Link": f'</v2/_catalog?last={number + 1}>; rel="next"'} if number < 4 else {}
        return json_answer({"repositories": names}, 200, **link)

    serve(pages)
    assert run("repos").out.count("\n") == 15


def test_tags_in_a_pipe_are_tab_separated_without_a_header(run: Run, serve: Serve) -> None:
    serve(registry.answer)
    outcome = run("tags", "team/app")
    assert (outcome.code, outcome.err) == (0, "")
    first, second = [line.split("\t") for line in outcome.out.splitlines()]
    assert first == ["1.0", registry.DIGEST, str(registry.SIZE), "2024-05-06T07:08:09Z", "linux/arm64/v8"]
    assert second[0] == registry.LONG_TAG


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
    assert "manifest unknown" in broken["error"]
    assert run("tags", "half").out.splitlines()[1].split("\t")[0] == "broken"


def test_a_web_server_is_not_taken_for_a_registry(run: Run, serve: Serve) -> None:
    page = Answer(200, b"<html>Welcome to nginx!</html>", {"Content-Type": "text/html"})
    server = serve(lambda _: page)
    server.script = lambda _: page  # also for the ping
    outcome = run("repos")
    assert outcome.code == 20
    assert "not as a registry" in outcome.err
