"""Progress: bars for people, a line now and then for logs, nothing on stdout."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from devreg.model.events import Layer, Step, Warn
from devreg.output import console
from devreg.output.progress import reporting

A, B = "a" * 12, "b" * 12


@pytest.fixture(autouse=True)
def fresh() -> None:
    console.stderr.cache_clear()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds, as its only element."""
    now = [100.0]
    monkeypatch.setattr("devreg.output.progress.time.monotonic", lambda: now[0])
    return now


def test_steps_and_warnings_are_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting() as listener:
        listener(Step("pushing app"))
        listener(Warn("it is slow"))
    assert capsys.readouterr() == ("", "pushing app\nwarning: it is slow\n")


def test_layers_are_told_of_every_few_seconds_only(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    with reporting() as listener:
        for current in range(0, 5_000_000, 1_000_000):
            listener(Layer(A, "Pushing", current, 5_000_000))
        listener(Layer(B, "Layer already exists", done=True))
        assert capsys.readouterr().err == ""
        clock[0] += 6
        listener(Layer(A, "Pushing", 4_500_000, 5_000_000))
        listener(Layer(A, "Pushing", 4_600_000, 5_000_000))
    assert capsys.readouterr().err == "  1 of 2 layers done, 4.5 MB of 5.0 MB moved; layer already exists\n"


def test_the_layers_of_one_image_are_forgotten_with_the_next(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with reporting() as listener:
        listener(Layer(A, "Pushed", done=True))
        listener(Step("pushing the next"))
        clock[0] += 6
        listener(Layer(B, "Pushing", 0, 7))
    assert "0 of 1 layers done" in capsys.readouterr().err


def test_a_terminal_gets_bars_and_the_steps_stay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = io.StringIO()
    made = Console(file=screen, width=100, force_terminal=True, color_system=None, highlight=False, markup=False)
    monkeypatch.setattr(console, "stderr", lambda: made)
    monkeypatch.setattr(console, "person_listens", lambda: True)
    with reporting() as listener:
        listener(Step("pushing [app] to a very long address " + "x" * 100))
        listener(Layer(A, "Pushing", 5, 10))
        listener(Layer(A, "Pushed", done=True))
        listener(Layer(B, "Layer already exists", done=True))
        listener(Step("the next"))
    text = screen.getvalue()
    assert "pushing [app] to a very long address " + "x" * 100 in text
    assert A in text
    assert "the next" in text
    assert capsys.readouterr().out == ""
