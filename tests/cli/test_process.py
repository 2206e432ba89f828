"""devreg as a process of its own: signals, pipes, terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.cli import registry
from tests.cli.conftest import NOBODY, Serve
from tests.http.deleting_registry import REPOSITORY, Deleting
from tests.http.server import Answer, Asked

DEVREG = (sys.executable, "-m", "devreg")
SECONDS = 20


def spawn(*words: str, script: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run devreg; with `script`, as "$@" in that shell script."""
    command = ["bash", "-c", script, "bash", *DEVREG, *words] if script else [*DEVREG, *words]
    return subprocess.run(
        command, input="", env={**os.environ, **environment}, capture_output=True, text=True, timeout=SECONDS
    )


@contextmanager
def at_terminal(*words: str, columns: int = 80) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run devreg with a terminal on all three streams; gives the process and the terminal's other end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [*DEVREG, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm-256color"},
        start_new_session=True,
    ) as process:
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


def read_until(terminal: int, wanted: str = "^(?!)") -> str:
    """What was written to the terminal, until the pattern `wanted` is in it or the program has ended."""
    seen = b""
    while not re.search(wanted, seen.decode()):
        ready, _, _ = select.select([terminal], [], [], SECONDS)
        assert ready, f"nothing more came after {seen!r}"
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
    return seen.decode()


def plain(text: str) -> str:
    """Without colours and cursor movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def test_exit_codes_leave_the_process() -> None:
    done = spawn("repos", NOBODY)
    assert done.returncode == 20
    assert done.stdout == ""
    assert done.stderr.startswith("devreg: ")
    assert "Traceback" not in done.stderr


def test_json_is_one_document_also_for_a_failure() -> None:
    done = spawn("repos", NOBODY, "--json")
    assert done.returncode == 20
    assert json.loads(done.stdout)["errors"][0]["code"] == "registry-unreachable"


BOTH = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])


@pytest.mark.parametrize(
    ("words", "unbuffered"),
    [
        ("config", ""),
        ("config --json", ""),
        ("config", "1"),
        ("config --json", "1"),
        ("--help", ""),
        ("--help", "1"),
    ],
)
def test_a_reader_that_has_gone_is_no_reason_to_complain(words: str, unbuffered: str) -> None:
    script = '"$@" | sleep 0; exit ${PIPESTATUS[0]}'
    done = spawn(*words.split(), script=script, PYTHONUNBUFFERED=unbuffered)
    assert (done.stderr, done.returncode) == ("", 0)


@BOTH
def test_a_reader_that_has_gone_changes_nothing_about_a_failure(unbuffered: str) -> None:
    script = '"$@" | sleep 0; exit ${PIPESTATUS[0]}'
    done = spawn("repos", NOBODY, "--json", script=script, PYTHONUNBUFFERED=unbuffered)
    assert (done.stderr, done.returncode) == ("", 20)


@BOTH
def test_a_full_disk_under_stdout_is_no_bug_of_devreg(unbuffered: str) -> None:
    done = spawn("config", script='"$@" > /dev/full', PYTHONUNBUFFERED=unbuffered)
    assert "bug" not in done.stderr
    assert "No space left on device" in done.stderr
    assert done.returncode not in (0, 3, 120)


def test_without_a_stderr_stdout_still_has_the_result_only() -> None:
    done = spawn("repos", NOBODY, script='"$@" 2>&-')
    assert done.stdout == ""
    assert done.returncode == 20


@pytest.mark.parametrize(
    ("number", "as_json"),
    [(signal.SIGTERM, False), (signal.SIGINT, False), (signal.SIGHUP, False), (signal.SIGHUP, True)],
)
def test_a_signal_is_code_130(serve: Serve, number: signal.Signals, as_json: bool) -> None:
    def hang(asked: Asked) -> Answer:
        os.kill(process.pid, number)
        process.wait(SECONDS)  # the answer must not be there before the signal
        return registry.answer(asked)

    server = serve(hang)
    words = ["repos", server.host, *(["--json"] if as_json else [])]
    with subprocess.Popen([*DEVREG, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in err
    if as_json:
        assert json.loads(out)["errors"][0]["code"] == "interrupted"
    else:
        assert "devreg: interrupted" in err
        assert "  next: " in err


def test_a_table_on_a_terminal_fits_in_80_columns(serve: Serve) -> None:
    server = serve(registry.answer)
    with at_terminal("tags", f"{server.host}/team/app") as (process, terminal):
        text = plain(read_until(terminal))
        assert process.wait(SECONDS) == 0
    lines = text.rstrip().split("\n")
    assert max(map(len, lines)) <= 80
    assert re.search(r"TAG +DIGEST +SIZE +CREATED +PLATFORMS", text)
    assert registry.DIGEST.removeprefix("sha256:")[:12] in text
    assert registry.DIGEST not in text
    assert "1.0 MB" in text
    assert re.search(r"\d+ years? ago", text)
    # A long name is folded, not cut: it can be put together again.
    folded = "".join(line.split()[0] for line in lines if line.strip() and not line.startswith("─"))
    assert registry.LONG_TAG in folded


def test_a_wide_terminal_folds_nothing(serve: Serve) -> None:
    server = serve(registry.answer)
    with at_terminal("tags", f"{server.host}/team/app", columns=200) as (_, terminal):
        assert registry.LONG_TAG in plain(read_until(terminal))


def test_a_settings_table_on_a_terminal_fits_in_80_columns() -> None:
    with at_terminal("config") as (process, terminal):
        text = plain(read_until(terminal))
        assert process.wait(SECONDS) == 0
    assert max(map(len, text.rstrip().split("\n"))) <= 80
    assert re.search(r"SETTING +VALUE +FROM", text)


def test_a_password_is_asked_for_unseen(serve: Serve) -> None:
    serve(registry.guarded)
    with at_terminal("login") as (process, terminal):
        seen = read_until(terminal, "User name: ")
        os.write(terminal, registry.USER.encode() + b"\n")
        seen += read_until(terminal, "Password for .*: ")
        os.write(terminal, registry.PASSWORD.encode() + b"\n")
        seen += read_until(terminal)
        assert process.wait(SECONDS) == 0, seen
    assert f"logged in to {os.environ['DEVREG_REGISTRY']} as {registry.USER}" in seen
    assert registry.PASSWORD not in seen


def interrupted_at(prompt: str, process: subprocess.Popen[bytes], terminal: int) -> str:
    """Ctrl-C at a prompt; what is written after it."""
    read_until(terminal, prompt)
    process.send_signal(signal.SIGINT)
    while not select.select([terminal], [], [], 1)[0]:  # it came before the read began: Python then misses it
        process.send_signal(signal.SIGINT)
    seen = plain(read_until(terminal))
    assert process.wait(SECONDS) == 130
    assert "Traceback" not in seen
    return seen


def test_ctrl_c_at_a_prompt_is_code_130(serve: Serve) -> None:
    serve(registry.guarded)
    with at_terminal("login") as (process, terminal):
        assert "interrupted" in interrupted_at("User name: ", process, terminal)


@pytest.mark.parametrize("words", [("rm", f"{REPOSITORY}:1"), ("prune", REPOSITORY, "--keep", "1", "--apply")])
def test_ctrl_c_instead_of_a_yes_changes_nothing(serve: Serve, words: Sequence[str]) -> None:
    script = Deleting()
    script.image("1", created="2024-01-01T00:00:00Z")
    script.image("2", created="2024-01-02T00:00:00Z", layer="2")
    serve(script)
    tags = dict(script.tags)
    with at_terminal(*words) as (process, terminal):
        seen = interrupted_at(r"Go on\? \[y/N\]: ", process, terminal)
    assert "\ndevreg: interrupted: nothing was changed\n" in seen
    assert script.tags == tags
