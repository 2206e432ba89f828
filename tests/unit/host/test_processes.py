"""Processes that others have started: when, and whether they are still there."""

import os
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest

from devreg.host.processes import lives, started

TICK = 0.02  # the kernel counts in hundredths of a second


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_process_lives_until_it_has_ended(sleeper: "subprocess.Popen[bytes]") -> None:
    assert lives(sleeper.pid)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(sleeper.pid).status() == psutil.STATUS_ZOMBIE
    assert not lives(sleeper.pid)
    sleeper.wait()
    assert not lives(sleeper.pid)


def test_a_process_began_between_the_times_around_its_start() -> None:
    before = time.time()
    with subprocess.Popen(["sleep", "600"]) as process:
        after = time.time()
        try:
            assert before - TICK <= started(process.pid) <= after + TICK
        finally:
            process.kill()


def test_a_process_began_when_it_began_however_often_one_asks(sleeper: "subprocess.Popen[bytes]") -> None:
    first = started(sleeper.pid)
    time.sleep(0.2)
    assert abs(started(sleeper.pid) - first) < TICK


def test_the_name_of_a_program_may_hold_anything(tmp_path_factory: pytest.TempPathFactory) -> None:
    program = tmp_path_factory.mktemp("bin") / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    before = time.time()
    with subprocess.Popen([str(program), "600"]) as process:
        try:
            assert before - TICK <= started(process.pid) <= time.time() + TICK
        finally:
            process.kill()


def test_a_process_that_is_gone_began_never(sleeper: "subprocess.Popen[bytes]") -> None:
    sleeper.kill()
    sleeper.wait()
    with pytest.raises(OSError, match="No such"):
        started(sleeper.pid)
