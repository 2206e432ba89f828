"""Several requests at once: failures end it, Ctrl-C waits for nothing."""

import subprocess
import sys
import threading

import pytest

from devreg.model.errors import UploadFailed
from devreg.registry import at_once
from devreg.registry.at_once import PARALLEL, do_all, in_order, portions


@pytest.mark.parametrize("count", [0, 1, 7, 40, 1000])
def test_portions_are_all_of_it_and_enough_for_all_threads(count: int) -> None:
    items = range(count)
    found = portions(items)
    assert [each for some in found for each in some] == list(items)
    assert len(found) >= min(count, 4 * PARALLEL)
    assert all(len(some) <= 20 for some in found)


class TestInOrder:
    def test_results_come_in_the_order_of_the_items(self) -> None:
        first = threading.Event()

        def work(number: int) -> int:
            if number == 0:
                first.wait(10)
            elif number == 5:
                first.set()
            return number * 2

        assert list(in_order(work, range(100))) == list(range(0, 200, 2))
        assert list(in_order(work, [])) == []

    def test_more_than_are_made_ready_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(at_once, "SLICE", 7)
        begun: list[int] = []

        def work(number: int) -> int:
            begun.append(number)
            return number

        results = in_order(work, range(100))
        assert [next(results) for _ in range(7)] == list(range(7))
        assert max(begun) == 6
        assert list(results) == list(range(7, 100))

    def test_a_failure_comes_in_its_place_and_keeps_the_rest_from_starting(self) -> None:
        begun: list[int] = []

        def work(number: int) -> int:
            begun.append(number)
            if number == 3:
                raise UploadFailed("3", hint="")
            return number

        results = in_order(work, range(10_000))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(UploadFailed, match="3"):
            next(results)
        assert len(begun) < 10_000


@pytest.mark.parametrize("call", ["do_all(never, range(20))", "list(in_order(never, range(20)))"])
def test_the_end_of_the_program_waits_for_nothing(call: str) -> None:
    script = f"""
import os, signal, threading
from devreg.registry import at_once
from devreg.registry.at_once import do_all, in_order
def never(_):
    threading.Event().wait()
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
{call}
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert "KeyboardInterrupt" in done.stderr


class TestDoAll:
    def test_all_are_done(self) -> None:
        done: list[int] = []
        do_all(done.append, range(50))
        assert sorted(done) == list(range(50))
        do_all(done.append, [])

    def test_a_few_at_a_time(self) -> None:
        at_once = threading.Barrier(3, timeout=10)
        do_all(lambda _: (at_once.wait(), None)[1], range(6), parallel=3)

    @pytest.mark.parametrize("fails", [0, 1, 7])
    def test_the_first_failure_keeps_the_rest_from_starting(self, fails: int) -> None:
        begun: list[int] = []

        def work(number: int) -> None:
            begun.append(number)
            if number == fails:
                raise UploadFailed(str(number), hint="")

        with pytest.raises(UploadFailed, match=str(fails)):
            do_all(work, [*range(fails + 1), *range(10_000)])
        assert len(begun) < 10_000

    def test_a_failure_is_noticed_while_the_first_is_at_work(self) -> None:
        begun: list[int] = []
        failed = threading.Event()

        def work(number: int) -> None:
            begun.append(number)
            if number == 0:
                failed.wait(10)
            elif number == 1:
                failed.set()
                raise UploadFailed("1", hint="")

        with pytest.raises(UploadFailed, match="1"):
            do_all(work, range(10_000))
        assert len(begun) < 10_000
