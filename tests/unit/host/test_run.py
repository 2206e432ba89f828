"""The subprocess runner: streams, failures, secrets, orphans."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from devreg.host.run import CommandFailed, detach, run


def test_returns_both_streams_and_feeds_input() -> None:
    done = run(["sh", "-c", "cat; echo err >&2; echo $EXTRA"], input="in\n", timeout=10, env={"EXTRA": "more"})
    assert (done.stdout, done.stderr) == ("in\nmore\n", "err\n")
    assert run(["cat"], input=b"\xff", timeout=10).stdout == "\ufffd"


def test_standard_input_is_empty_without_input() -> None:
    assert run(["cat"], timeout=10).stdout == ""


def test_a_failure_carries_command_code_and_streams_but_not_the_input() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "cat >/dev/null; echo out; echo first >&2; echo last >&2; exit 3"], input="s3cret", timeout=10)
    failure = caught.value
    assert (failure.code, failure.stdout, failure.stderr) == (3, "out\n", "first\nlast\n")
    assert failure.command[0] == "sh"
    assert str(failure).endswith("failed with code 3: last")
    assert "s3cret" not in str(failure) + repr(failure)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["no-such-program-here"], "there is no such program"),
        (["/etc/passwd"], "Permission denied"),
        (["sh", "-c", "echo so far; exec sleep 60"], "took longer than 0.3 s"),
    ],
)
def test_what_never_ended_has_no_code(argv: list[str], reason: str) -> None:
    with pytest.raises(CommandFailed, match=reason) as caught:
        run(argv, timeout=0.3)
    assert caught.value.code is None


def test_a_detached_program_is_an_orphan_with_the_given_surroundings(tmp_path: Path) -> None:
    import resource

    log = tmp_path / "log"
    code = "import os,resource,time;print(os.getcwd(),dict(os.environ),resource.getrlimit(7),flush=True);time.sleep(60)"
    limits = {resource.RLIMIT_NOFILE: (512, 1024)}
    pid = detach([sys.executable, "-c", code], log=log, cwd=tmp_path, env={"ONLY": "this"}, limits=limits)
    process = psutil.Process(pid)
    try:
        deadline = time.monotonic() + 10
        while not log.exists() or not log.read_text().endswith("\n"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert str(tmp_path) in log.read_text()
        assert "'ONLY': 'this'" in log.read_text()
        assert "(512, 1024)" in log.read_text()
        assert "HOME" not in log.read_text()
        assert process.ppid() != os.getpid()
        assert os.getsid(pid) != os.getsid(0)
    finally:
        process.kill()


def test_a_detached_program_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="could not be started"):
        detach(["true"], log=tmp_path / "log", cwd=tmp_path / "missing")
