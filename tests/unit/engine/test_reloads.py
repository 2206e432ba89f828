"""The engine's word that it has read its settings: told since a time, or the last one that it remembers."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from devreg.engine.client import Engine, connect
from devreg.engine.reloads import last_reload, reloaded
from devreg.model.errors import EngineRefused, EngineUnreachable
from tests.unit.engine.fake import FakeEngine, Reply

ASKS: list[Callable[[Engine], object]] = [lambda engine: reloaded(engine, 0, seconds=1), last_reload]


def test_a_reload_since_then_is_heard(fake: FakeEngine) -> None:
    before = time.time()
    fake.reloads = [before - 60, before]
    assert reloaded(connect(), before - 0.001, seconds=5)


def test_an_earlier_reload_is_not_heard(fake: FakeEngine) -> None:
    now = time.time()
    fake.reloads = [now - 60, now - 0.01]
    assert not reloaded(connect(), now, seconds=5)
    assert not reloaded(connect(), now - 0.009, seconds=5)


def test_a_later_one_than_one_waits_for_is_not_heard(fake: FakeEngine) -> None:
    now = time.time()
    fake.reloads = [now + 60]
    assert not reloaded(connect(), now, seconds=5)
    assert reloaded(connect(), now, seconds=120)


def test_it_is_asked_for_reloads_of_the_daemon_between_two_times(fake: FakeEngine) -> None:
    before = time.time()
    reloaded(connect(), 1700000000.123456, seconds=5)
    (asked,) = fake.requests("GET", "/events")
    assert asked.query["since"] == "1700000000.123456"
    assert before + 5 <= float(asked.query["until"]) + 0.000001 <= time.time() + 5.1


def test_without_any_reload_there_is_no_last_one(fake: FakeEngine) -> None:
    assert last_reload(connect()) is None
    assert not reloaded(connect(), 0, seconds=1)
    assert len(fake.requests("GET", "/events")) == 2


def test_the_last_of_several(fake: FakeEngine) -> None:
    fake.reloads = [1700000000.5, 1700000002.25, 1700000001.0]
    assert last_reload(connect()) == pytest.approx(1700000002.25, abs=1e-6)


def test_an_engine_that_goes_away_has_told_all_that_it_will(fake: FakeEngine) -> None:
    fake.breaks_off = True
    assert not reloaded(connect(), 0, seconds=1)
    assert last_reload(connect()) is None
    fake.reloads = [1700000000.5]
    assert reloaded(connect(), 0, seconds=1)
    assert last_reload(connect()) == pytest.approx(1700000000.5, abs=1e-6)


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("status", [403, 404, 503])
def test_an_engine_that_refuses_to_tell(ask: Callable[[Engine], object], status: int, fake: FakeEngine) -> None:
    fake.refusals["GET /events"] = (status, "authorization denied by plugin strict: no events")
    with pytest.raises(
        EngineRefused, match=r"does not tell of its events.*: authorization denied by plugin strict"
    ) as it:
        ask(connect())
    assert "GET /events" in it.value.hint


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("body", [b"<h1>Forbidden</h1>", b'{"error": "no"}', b'["no"]', b"\xff", b""])
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "whole"])
def test_something_before_the_engine_that_refuses(
    ask: Callable[[Engine], object], body: bytes, chunked: bool, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = Reply(403, b"", {}, [body] if body else []) if chunked else Reply(403, body)
    answer = fake.answer
    monkeypatch.setattr(fake, "answer", lambda asked: refusal if asked.path == "/events" else answer(asked))
    with pytest.raises(EngineRefused, match=r"could be seen: 403 Forbidden$"):
        ask(connect())


@pytest.mark.parametrize("ask", ASKS)
def test_no_engine(ask: Callable[[Engine], object]) -> None:
    with pytest.raises(EngineUnreachable):
        ask(Engine("unix:///no/such/socket"))
