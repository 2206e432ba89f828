"""Progress: bars for people, a line now and then for logs, nothing on stdout."""

from __future__ import annotations

import io
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from devreg.model.events import Counted, Layer, Listener, Step, Warn
from devreg.output import console, count_bar, progress
from devreg.output.progress import _Bars, reporting

A, B, C, D = "a" * 12, "b" * 12, "c" * 12, "d" * 12


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


def test_a_line_comes_after_ten_seconds_and_a_tenth_whichever_is_later(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with reporting() as listener:
        for current in range(0, 5_000_000, 1_000_000):
            listener(Layer(A, "compressing", current, 100_000_000))
        listener(Layer(B, "already there", done=True))
        clock[0] += 11
        listener(Layer(A, "compressing", 9_900_000, 100_000_000))
        assert capsys.readouterr().err == ""
        clock[0] += 9
        listener(Layer(A, "compressing", 10_000_000, 100_000_000))
        assert capsys.readouterr().err == (
            "  1 of 2 layers done: 1 already there; 10.0 MB of 100.0 MB (10 %), 500.0 kB/s, 3 min left; compressing\n"
        )
        clock[0] += 9
        listener(Layer(A, "compressing", 60_000_000, 100_000_000))
        assert capsys.readouterr().err == ""
        clock[0] += 1
        listener(Layer(A, "sending", 60_000_000, 100_000_000))
        assert capsys.readouterr().err == (
            "  1 of 2 layers done: 1 already there; 60.0 MB of 100.0 MB (60 %), 5.0 MB/s, 8 s left; sending\n"
        )


def test_an_upload_that_starts_again_goes_on_being_told_of(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with reporting() as listener:
        listener(Layer(A, "sending", 0, 100))
        clock[0] += 10
        listener(Layer(A, "sending", 60, 100))
        clock[0] += 10
        listener(Layer(A, "sending", 10, 100))
        assert capsys.readouterr().err.splitlines()[1:] == ["  0 of 1 layer done; 10 B of 100 B (10 %), 0 B/s; sending"]


def test_without_a_total_a_line_comes_every_ten_seconds(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    with reporting() as listener:
        listener(Layer(A, "Pushing", 1_000_000, 2_000_000))
        listener(Layer(B, "Waiting"))
        for _ in range(20):
            clock[0] += 2
            listener(Layer(B, "Pushing", 500))
    assert capsys.readouterr().err.splitlines() == [
        "  0 of 2 layers done; 1.0 MB, 100.0 kB/s; pushing",
        *["  0 of 2 layers done; 1.0 MB, 0 B/s; pushing"] * 3,
        "  0 of 2 layers done; 1.0 MB in 40 s",
    ]


def test_the_end_of_an_image_tells_what_became_of_its_layers(
    capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    with reporting() as listener:
        listener(Layer(A, "pushed", 7_000_000, 7_000_000, done=True))
        listener(Layer(B, "already there", 0, 9_000_000, done=True))
        listener(Layer(C, "already there", done=True))
        listener(Layer(D, "mounted from base", 9_000_000, 9_000_000, done=True))
        clock[0] += 3
        listener(Warn("slow"))
        listener(Step("pushing the next"))
        listener(Layer(B, "already there", done=True))
    assert capsys.readouterr().err.splitlines() == [
        "warning: slow",
        "  4 layers: 1 pushed, 2 already there, 1 mounted from base; 7.0 MB in 3 s",
        "pushing the next",
        "  1 layer: 1 already there",
    ]


def test_the_words_of_the_engine_and_of_devreg_look_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """A last event of Docker's has no bytes."""
    with reporting() as listener:
        listener(Layer(A, "Pushing", 3_000_000, 5_000_000))
        listener(Layer(A, "Pushed", done=True))
        listener(Layer(B, "Layer already exists", done=True))
        listener(Layer(C, "Mounted from library/base", done=True))
    assert capsys.readouterr().err == (
        "  3 layers: 1 pushed, 1 already there, 1 mounted from library/base; 5.0 MB in 0 s\n"
    )


def test_a_layer_that_goes_on_where_it_was_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting() as listener:
        for current in range(3):
            listener(Layer(A, "resumed at 12.0 MB", current, 10))
        assert capsys.readouterr().err == f"  {A} resumed at 12.0 MB\n"


def test_a_failure_is_not_followed_by_an_account(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with reporting() as listener:
            listener(Layer(A, "sending", 1, 10))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("person", [True, False])
def test_quiet_means_warnings_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], person: bool
) -> None:
    monkeypatch.setattr(console, "person_listens", lambda: person)
    with reporting(quiet=True) as listener:
        listener(Step("pushing app"))
        listener(Layer(A, "resumed at 12.0 MB", 1, 2))
        listener(Layer(A, "pushed", done=True))
        listener(Warn("it is slow"))
    assert capsys.readouterr() == ("", "warning: it is slow\n")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal of 80 columns gets. Its bars are drawn when a test says so."""
    written = io.StringIO()
    made = Console(file=written, width=80, force_terminal=True, color_system=None, highlight=False, markup=False)
    monkeypatch.setattr(console, "stderr", lambda: made)
    monkeypatch.setattr(console, "person_listens", lambda: True)
    return written


def drawn(listener: Listener) -> list[str]:
    """The bars as they are now, cell by cell."""
    assert isinstance(listener, _Bars)
    canvas = Console(file=io.StringIO(), width=80, color_system=None)
    with canvas.capture() as capture:
        canvas.print(listener._progress.make_tasks_table(listener._progress.tasks))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_terminal_gets_bars_and_what_is_done_stays(screen: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    with reporting() as listener:
        listener(Step("pushing [app] to a very long address " + "x" * 100))
        listener(Layer(A, "resumed at 120.0 MB", 500_000, 1_000_000))
        listener(Layer(B, "already there", done=True))
        listener(Layer(C, "waiting", 0, 2_000_000))
        total, layer = drawn(listener)
        assert total.startswith("all layers   1 of 3 done ")
        assert "0.5/3.0 MB" in total
        assert layer.startswith(f"{A} resumed at 120.0 MB  ━━━━━")
        assert "0.5/1.0 MB" in layer
        listener(Layer(A, "pushed", 1_000_000, 1_000_000, done=True))
        listener(Warn("slow [really]"))
        assert drawn(listener)[0].startswith("all layers   2 of 3 done ")
        assert len(drawn(listener)) == 1
        listener(Step("the next"))
        assert drawn(listener) == []
    text = screen.getvalue()
    for line in (
        "pushing [app] to a very long address " + "x" * 100,
        f"{B} already there",
        f"{A} pushed, 1.0 MB",
        "warning: slow [really]",
        "the next",
    ):
        assert line in text
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("number", [0, 999, 999_999, 999_999_999, 10**12 - 1, 10**15 - 1])
def test_bars_fit_a_narrow_terminal(screen: io.StringIO, number: int) -> None:
    del screen
    with reporting() as listener:
        listener(Layer(A, "resumed at 999.9 [gb]", 0, number))
        listener(Layer(A, "resumed at 999.9 [gb]", number // 3, number))
        listener(Layer(A, "resumed at 999.9 [gb]", number // 2, number))
        lines = drawn(listener)
    assert len(lines) == (2 if number else 1)
    assert all(len(line) <= 80 for line in lines)
    assert not number or "resumed at 999.9 [g…" in lines[1]


def test_the_total_is_unknown_while_a_layers_is(screen: io.StringIO) -> None:
    del screen
    with reporting() as listener:
        listener(Layer(A, "Pushing", 1_000_000, 2_000_000))
        listener(Layer(B, "Pushing", 4_000_000))
        assert "5.0/? MB" in drawn(listener)[0]
        assert "4.0/? MB" in drawn(listener)[2]
        listener(Layer(B, "Pushed", done=True))
        assert "5.0/6.0 MB" in drawn(listener)[0]


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    screen: io.StringIO, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Console, "is_dumb_terminal", True)
    with reporting() as listener:
        listener(Layer(A, "pushed", 5, 5, done=True))
    assert capsys.readouterr().err == "  1 layer: 1 pushed; 5 B in 0 s\n"
    assert screen.getvalue() == ""


def counted(screen: io.StringIO, clock: list[float], seconds: float) -> str:
    """What a terminal shows when things are counted after so many seconds."""
    with reporting() as listener:
        clock[0] += seconds
        for done in range(1, 4):
            listener(Counted("reading [team]/app\x1b[2J", done, 1000))
        return screen.getvalue()


def test_a_bar_for_what_is_counted_comes_after_a_second(screen: io.StringIO, clock: list[float]) -> None:
    assert counted(screen, clock, 0.9) == ""
    shown = counted(screen, clock, 1.1)
    assert r"reading [team]/app\x1b[2J " in shown
    assert "/1000" in shown


def test_a_bar_comes_also_while_nothing_does(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count_bar, "_SECONDS", 0.01)
    with reporting() as listener:
        listener(Counted("reading app", 0))
        for _ in range(500):
            if "reading app" in screen.getvalue():
                break
            threading.Event().wait(0.02)
        assert "reading app" in screen.getvalue()
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") == 1


def test_no_bar_comes_after_the_end(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count_bar, "_SECONDS", 0.05)
    with reporting() as listener:
        listener(Counted("reading app", 0))
    threading.Event().wait(0.1)
    assert screen.getvalue() == ""


def test_the_bar_goes_away_when_something_else_happens(screen: io.StringIO, clock: list[float]) -> None:
    with reporting() as listener:
        clock[0] += 2
        listener(Layer(A, "sending", 1, 10))
        listener(Counted("reading app", 1))
        assert isinstance(listener, _Bars)
        assert not listener._progress.live.is_started
        listener(Warn("slow"))
        listener(Layer(A, "sending", 2, 10))
        assert listener._progress.live.is_started
        listener(Counted("reading app", 2))
        listener(Step("the next"))
    assert "the next" in screen.getvalue()
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") == 4


@pytest.mark.parametrize("quiet", [True, False])
def test_nothing_is_counted_in_a_pipe(capsys: pytest.CaptureFixture[str], clock: list[float], quiet: bool) -> None:
    with reporting(quiet=quiet) as listener:
        clock[0] += 100
        listener(Counted("reading app", 1, 2))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("person", [True, False])
def test_words_of_others_are_inert(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], screen: io.StringIO, person: bool
) -> None:
    monkeypatch.setattr(console, "person_listens", lambda: person)
    with reporting() as listener:
        listener(Step("pushing \x1b]0;x\x07"))
        listener(Layer(A, "resumed \x1b[2J", 1, 2))
        listener(Layer(A, "resumed \x1b[2J", 2, 2, done=True))
    written = screen.getvalue() if person else capsys.readouterr().err
    assert r"pushing \x1b]0;x\x07" in written
    assert r"resumed \x1b[2J" in written
    assert "\x1b]0;" not in written
    assert "\x1b[2J" not in written


@pytest.mark.parametrize("person", [True, False])
@pytest.mark.usefixtures("screen")
def test_events_come_from_several_threads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], person: bool
) -> None:
    monkeypatch.setattr(console, "person_listens", lambda: person)
    monkeypatch.setattr(progress, "_LOG_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_LOG_SHARE", 2.0)

    def work(number: int) -> None:
        for current in range(50):
            listener(Layer(f"{number:012x}", "sending", current, 50))
        listener(Layer(f"{number:012x}", "pushed", 50, 50, done=True))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with reporting() as listener, ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(40)))
    finally:
        sys.setswitchinterval(interval)
    assert capsys.readouterr().err == ("" if person else "  40 layers: 40 pushed; 2.0 kB in 0 s\n")
