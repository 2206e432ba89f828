"""Manifests and configs: each digest is asked for once, whoever wants it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest

from devreg.host.content_cache import ContentCache
from devreg.model.errors import NotFound, RegistryUnreachable
from devreg.registry.at_once import in_order
from devreg.remote.contents import Contents, parsed
from tests.http.server import Answer, Asked, Open, ScriptedServer, Serve, error_answer
from tests.http.test_content import CONFIG, MANIFEST, NAMED, digest_of

DIGEST = digest_of(MANIFEST)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ContentCache]:
    with ContentCache(tmp_path) as cache:
        yield cache


def script(asked: Asked) -> Answer:
    return Answer(200, CONFIG) if "/blobs/" in asked.path else Answer(200, MANIFEST, NAMED)


def asked_for(server: ScriptedServer) -> list[str]:
    return [f"{asked.method} {asked.path.split('/')[-2]}" for asked in server.asked[1:]]


def test_many_that_want_one_digest_at_once_share_an_answer(serve: Serve, opened: Open, cache: ContentCache) -> None:
    server = serve(script)
    contents = Contents(opened(server), cache)
    bodies = list(in_order(lambda _: contents.body("app", DIGEST), range(50)))
    assert {body.content for body in bodies} == {MANIFEST}
    configs = list(in_order(lambda _: contents.config("app", parsed(bodies[0])), range(50)))
    assert configs == [configs[0]] * 50
    assert asked_for(server) == ["GET manifests", "GET blobs"]


def test_a_tag_is_asked_for_each_time_and_its_manifest_is_known_by_digest(
    serve: Serve, opened: Open, cache: ContentCache
) -> None:
    server = serve(script)
    contents = Contents(opened(server), cache)
    assert not contents.holds(DIGEST)
    assert contents.manifest("app", "1").digest == DIGEST
    assert contents.holds(DIGEST)
    assert contents.current("app", "1").content == MANIFEST
    assert contents.body("app", "1").content == MANIFEST
    assert asked_for(server) == ["GET manifests", "HEAD manifests", "GET manifests"]


def test_a_failure_is_everybodys_and_the_next_asks_again(serve: Serve, opened: Open, cache: ContentCache) -> None:
    answers = iter([error_answer(404, "MANIFEST_UNKNOWN")])
    server = serve(lambda _: next(answers, Answer(200, MANIFEST, NAMED)))
    contents = Contents(opened(server), cache)
    with pytest.raises(NotFound):
        contents.body("app", DIGEST)
    assert contents.body("app", DIGEST).content == MANIFEST


def test_wrong_bytes_are_not_kept(serve: Serve, opened: Open, cache: ContentCache) -> None:
    contents = Contents(opened(serve(Answer(200, b"{}", {"Content-Type": "application/json"}))), cache)
    with pytest.raises(RegistryUnreachable, match="not what"):
        contents.body("app", DIGEST)
    assert not contents.holds(DIGEST)


def test_what_one_repository_lacks_another_may_have(serve: Serve, opened: Open, cache: ContentCache) -> None:
    asked_too = Event()

    def script(asked: Asked) -> Answer:
        if asked.path.startswith("/v2/app/"):
            return Answer(200, MANIFEST, NAMED)
        asked_too.wait(10)
        return error_answer(404, "MANIFEST_UNKNOWN")

    contents = Contents(opened(serve(script)), cache)
    futures: list[Future[bytes]] = [Future(), Future()]

    def read(repository: str, result: Future[bytes]) -> None:
        try:
            result.set_result(contents.body(repository, DIGEST).content)
        except NotFound as error:
            result.set_exception(error)

    threads = [Thread(target=read, args=each, daemon=True) for each in zip(("empty", "app"), futures, strict=True)]
    threads[0].start()
    while DIGEST not in contents._reading:
        sleep(0.001)
    threads[1].start()
    sleep(0.05)  # until it waits for the first; without that the test proves less, and does not fail
    asked_too.set()
    assert futures[1].result(10) == MANIFEST
    with pytest.raises(NotFound):
        futures[0].result(10)
