"""The engine's stream: digests, layers, failures; on recordings of graph drivers and the containerd store."""

from __future__ import annotations

from typing import Any

import pytest

from devreg.engine.stream import StreamError, Transfer, follow
from devreg.model.events import Event, Layer, silent
from devreg.model.results import Layers
from tests.unit.engine.fake import DIGEST, PULL_LINES, PUSH_LINES

A, B, C = "a" * 12, "b" * 12, "c" * 12


def test_a_push_by_a_graph_driver_says_its_digest_in_aux() -> None:
    transfer = follow(PUSH_LINES, silent)
    assert transfer.digest == DIGEST
    assert transfer.layers == Layers(sent=1, mounted=0, existing=1)
    assert transfer.bytes_sent == 10


def test_a_push_by_the_containerd_store_says_its_digest_in_a_status_only() -> None:
    assert follow([{"status": f"1: digest: {DIGEST} size: 528"}], silent).digest == DIGEST


def test_a_pull_says_its_digest_and_whether_it_brought_anything() -> None:
    assert follow(PULL_LINES, silent) == Transfer(DIGEST, {A: "Pull complete"}, {}, fresh=True)
    same = [{"status": f"Digest: {DIGEST}"}, {"status": "Status: Image is up to date for r/app:1"}]
    assert follow(same, silent).fresh is False


def test_layers_are_counted_by_their_last_status() -> None:
    lines: list[dict[str, Any]] = [
        {"status": "Preparing", "id": A},
        {"status": "Waiting", "id": B},
        {"status": "Pushing", "id": A, "progressDetail": {"current": 5, "total": 9}},
        {"status": "Pushing", "id": A, "progressDetail": {"current": 9, "total": 9}},
        {"status": "Pushing", "id": B, "progressDetail": {"current": 3, "total": 9}},
        {"status": "Pushed", "id": A},
        {"status": "Layer already exists", "id": B},
        {"status": "Mounted from library/alpine", "id": C},
    ]
    transfer = follow(lines, silent)
    assert transfer.layers == Layers(sent=1, mounted=1, existing=1)
    assert transfer.bytes_sent == 9


def test_the_listener_hears_of_layers_and_of_nothing_else(heard: list[Event]) -> None:
    lines: list[dict[str, Any]] = [
        {"status": "Pulling from app", "id": "latest"},
        {"status": "Downloading", "id": A, "progressDetail": {"current": 4, "total": 8}},
        {"status": "Download complete", "id": A, "progressDetail": {}},
        {"status": "Pull complete", "id": A},
    ]
    follow(lines, heard.append)
    assert heard == [
        Layer(A, "Downloading", 4, 8),
        Layer(A, "Download complete"),
        Layer(A, "Pull complete", done=True),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"error": "denied", "errorDetail": {"message": "denied: no such project\n"}}, "denied: no such project"),
        ({"error": "denied"}, "denied"),
        ({"error": "denied", "errorDetail": None}, "denied"),
        ({"error": "denied", "errorDetail": {}}, "denied"),
    ],
)
def test_a_failure_in_the_stream_is_raised_with_the_engines_words(line: dict[str, Any], reason: str) -> None:
    with pytest.raises(StreamError) as caught:
        follow([{"status": "Pushing", "id": A}, line, {"status": "Pushed", "id": A}], silent)
    assert str(caught.value) == reason


@pytest.mark.parametrize("line", [{}, {"stream": "x"}, {"status": None}, {"status": "x", "id": None}, {"aux": None}])
def test_lines_without_news_are_passed_over(line: dict[str, Any]) -> None:
    assert follow([line], silent) == Transfer()
