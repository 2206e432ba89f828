"""Lists of repositories and tags: every page, and no further."""

from __future__ import annotations

import itertools

import pytest

from devreg.model.credentials import Credentials
from devreg.model.errors import DevregError, NotAuthorized, NotFound, RegistryUnreachable
from devreg.registry import pages
from tests.http.server import Answer, Asked, Open, Script, Serve, basic, error_answer, json_answer


def two_pages(link: str) -> Script:
    def script(asked: Asked) -> Answer:
        if "last" in asked.query:
            return json_answer({"repositories": ["c"]})
        return json_answer({"repositories": ["a", "b"]}, Link=link)

    return script


@pytest.mark.parametrize(
    "link",
    [
        '</v2/_catalog?last=b&n=100>; rel="next"',
        "<_catalog?last=b&n=100>; rel=next",
        '<?last=b&n=100>; rel="next"',
        '<https://other.example:8443/v2/_catalog?last=b&n=100>; rel="next"',
        '<//other.example/v2/_catalog?last=b&n=100>; rel="next"',
        '<http://eve:pw@other.example/v2/_catalog?last=b&n=100>; rel="next"',
    ],
)
def test_every_page_of_the_same_registry(serve: Serve, opened: Open, link: str) -> None:
    server = serve(two_pages(link))
    assert list(opened(server).repositories()) == ["a", "b", "c"]
    assert server.lines[1:] == ["GET /v2/_catalog?n=1000", "GET /v2/_catalog?last=b&n=100"]
    assert server.asked[2].headers["host"] == server.host
    assert server.asked[2].authorization is None


def test_a_page_is_fetched_when_it_is_wanted(serve: Serve, opened: Open) -> None:
    server = serve(two_pages('</v2/_catalog?last=b>; rel="next"'))
    assert next(opened(server).repositories()) == "a"
    assert len(server.asked) == 2


def test_credentials_stay_with_the_registry(serve: Serve, opened: Open) -> None:
    other = serve(json_answer({"repositories": []}))

    def script(asked: Asked) -> Answer:
        if asked.authorization is None:
            return Answer(401, headers={"WWW-Authenticate": "Basic"})
        return two_pages(f'<{other.url}/v2/_catalog?last=b>; rel="next"')(asked)

    server = serve(script)
    assert list(opened(server, credentials=Credentials("a", "b")).repositories()) == ["a", "b", "c"]
    assert server.asked[-1].authorization == basic("a", "b")
    assert other.asked == []


def test_a_registry_that_gives_fewer_at_a_time(serve: Serve, opened: Open) -> None:
    def script(asked: Asked) -> Answer:
        if int(asked.query["n"][0]) > 100:
            return error_answer(400, "PAGINATION_NUMBER_INVALID")
        return json_answer({"tags": ["1"]})

    server = serve(script)
    assert list(opened(server).tags("app")) == ["1"]
    assert server.lines[1:] == [f"GET /v2/app/tags/list?n={number}" for number in (1000, 100)]


def test_a_list_that_would_fill_the_memory(serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_BYTES", 10_000)
    numbers = itertools.count()

    def script(_: Asked) -> Answer:
        name = f"{next(numbers)}{'x' * 3000}"
        return json_answer({"tags": [name]}, Link=f'</v2/app/tags/list?last={name[:9]}>; rel="next"')

    server = serve(script)
    with pytest.raises(RegistryUnreachable, match="do not end"):
        list(opened(server).tags("app"))
    assert len(server.asked) == 1 + 4


@pytest.mark.parametrize("pages_of", [1, 5, 100])
def test_more_tags_than_can_be_held(serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch, pages_of: int) -> None:
    monkeypatch.setattr(pages, "MAX_TAGS", 20)
    numbers = itertools.count()
    server = serve(
        lambda _: json_answer(
            {"tags": [str(next(numbers)) for _ in range(pages_of)]}, Link=f"<?last={numbers}>; rel=next"
        )
    )
    with pytest.raises(RegistryUnreachable, match="cannot list the tags of app: there are more than 20") as caught:
        list(opened(server).tags("app"))
    assert "REPO:TAG" in caught.value.hint
    assert len(server.asked) == 1 + 20 // pages_of + 1


def test_as_many_tags_as_can_be_held(serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_TAGS", 3)
    assert list(opened(serve(json_answer({"tags": ["1", "2", "3"]}))).tags("app")) == ["1", "2", "3"]
    with pytest.raises(RegistryUnreachable, match="do not end"):
        list(opened(serve(json_answer({"tags": ["x" * 1000]}))).tags("app"))


def test_a_loop_is_noticed(serve: Serve, opened: Open) -> None:
    server = serve(json_answer({"tags": ["1"]}, Link='</v2/app/tags/list?last=1>; rel="next"'))
    with pytest.raises(RegistryUnreachable, match="do not end"):
        list(opened(server).tags("app"))
    assert len(server.asked) == 3


def test_an_endless_list_is_given_up(serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_PAGES", 20)
    count = itertools.count()
    server = serve(lambda _: json_answer({"tags": ["1"]}, Link=f'<?last={next(count)}>; rel="next"'))
    with pytest.raises(RegistryUnreachable, match="do not end"):
        list(opened(server).tags("app"))


@pytest.mark.parametrize("link", ["<http://[>; rel=next", "<http://x:99999/>; rel=next", "<\x7f>; rel=next"])
def test_a_link_to_nowhere(serve: Serve, opened: Open, link: str) -> None:
    server = serve(json_answer({"tags": ["1"]}, Link=link))
    with pytest.raises(DevregError):
        list(opened(server).tags("app"))


@pytest.mark.parametrize("link", ["", "x", ";;;,,,", '</v2/x>; rel="prev"', "<>"])
def test_a_link_that_is_not_to_the_next_page(serve: Serve, opened: Open, link: str) -> None:
    assert list(opened(serve(json_answer({"tags": ["1"]}, Link=link))).tags("app")) == ["1"]


@pytest.mark.parametrize("content", [{"name": "app", "tags": None}, {"tags": []}, {}])
def test_no_tags(serve: Serve, opened: Open, content: object) -> None:
    assert list(opened(serve(json_answer(content))).tags("app")) == []


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'{"tags": 1}', b'{"tags": [1]}', b"\xff", b'{"tags": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"],
    ids=["html", "array", "number", "numbers", "bytes", "deep"],
)
def test_lists_that_are_none(serve: Serve, opened: Open, body: bytes) -> None:
    with pytest.raises(RegistryUnreachable, match="unusable answer"):
        list(opened(serve(Answer(200, body))).tags("app"))


def test_a_name_that_is_none_hides_no_other(serve: Serve, opened: Open) -> None:
    assert list(opened(serve(Answer(200, b'{"tags": ["a\\u001b[2J", "1"]}'))).tags("app")) == ["a\x1b[2J", "1"]


def test_a_list_that_takes_for_ever_is_given_up(serve: Serve, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_SECONDS", 0)
    count = itertools.count()
    server = serve(lambda _: json_answer({"tags": [str(at := next(count))]}, Link=f'<?last={at}>; rel="next"'))
    with pytest.raises(RegistryUnreachable, match="do not end"):
        list(opened(server).tags("app"))


def test_an_unknown_repository(serve: Serve, opened: Open) -> None:
    server = serve(error_answer(404, "NAME_UNKNOWN", "repository name not known to registry"))
    with pytest.raises(NotFound, match=r"list the tags of team/app: .*404 Not Found \(NAME_UNKNOWN: repository name"):
        list(opened(server).tags("team/app"))
    assert server.lines[1:] == ["GET /v2/team/app/tags/list?n=1000"]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, NotAuthorized), (403, NotAuthorized), (404, NotFound), (405, NotFound)]
)
def test_a_registry_that_keeps_its_catalog_to_itself(
    serve: Serve, opened: Open, status: int, kind: type[DevregError]
) -> None:
    with pytest.raises(kind, match=f"cannot list the repositories: .* {status} ") as caught:
        list(opened(serve(error_answer(status, "DENIED"))).repositories())
    assert "devreg" in caught.value.hint
