"""Shell scripts on this machine: what they print, what they are fed, and that none outlives who started it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devreg.host.shell import MachineShell, printed
from devreg.model.errors import ServerError

SHELL = MachineShell((), {"greeting": "good day"})


def tar(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def test_words_and_variables_are_no_code() -> None:
    script = 'echo "$greeting" "$2"; echo "$1"'
    assert SHELL.lines(script, "$(exit 3)", "a b", doing="greet") == ["good day a b", "$(exit 3)"]


def test_what_is_around_devreg_is_not_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEVREG_PASSWORD", "pa55word")
    assert not any("pa55word" in line for line in SHELL.lines("env", doing="look"))


def test_another_identity_is_asked_for_before_the_shell() -> None:
    assert MachineShell(("env", "who=daemon"), {}).lines('echo "$who"', doing="ask") == ["daemon"]


def test_a_failure_is_told_with_its_words() -> None:
    with pytest.raises(ServerError, match=r"^could not look at the disk: no such disk$"):
        SHELL.lines("echo no such disk >&2; exit 4", doing="look at the disk")
    with pytest.raises(ServerError, match=r"^could not look: code 4$"):
        SHELL.lines("exit 4", doing="look")
    with pytest.raises(ServerError, match="could not look"):
        list(printed(["/nowhere/program"], doing="look"))


def test_a_stream_that_is_left_ends_its_script(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    stream = SHELL.stream('echo $$ > "$1"; while :; do echo line; done', str(file), doing="read")
    assert next(stream).startswith(b"line")
    stream.close()  # type: ignore[attr-defined]
    assert not Path(f"/proc/{file.read_text().strip()}").exists()


def test_held_until_the_block_ends(tmp_path: Path) -> None:
    file = tmp_path / "pause"
    with SHELL.held(f"touch {file} && echo && cat >/dev/null; rm {file}", doing="pause"):
        assert file.exists()
    assert not file.exists()


def test_what_cannot_be_held_is_told() -> None:
    with (
        pytest.raises(ServerError, match="could not pause: not here"),
        SHELL.held("echo not here >&2; exit 1", doing="pause"),
    ):
        pytest.fail("it began")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_is_held_ends_with_who_holds_it(tmp_path: Path, number: int) -> None:
    file = tmp_path / "pause"
    holding = f"""
import time
from devreg.host.shell import MachineShell
with MachineShell((), {{}}).held("touch {file} && echo && cat >/dev/null; rm {file}", doing="pause"):
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", holding], stderr=subprocess.DEVNULL)
    assert eventually(file.exists)
    os.kill(holder.pid, number)
    holder.wait()
    assert eventually(lambda: not file.exists())


def test_a_tar_is_unpacked_as_it_comes(tmp_path: Path) -> None:
    whole = tar(one="1", two="2" * 100_000)
    SHELL.put(str(tmp_path), (whole[at : at + 1000] for at in range(0, len(whole), 1000)), doing="write")
    assert {each.name: each.stat().st_size for each in tmp_path.iterdir()} == {"one": 1, "two": 100_000}
    SHELL.put(str(tmp_path), tar(three="3"), doing="write")
    assert (tmp_path / "three").read_text() == "3"


def test_who_feeds_it_may_give_up(tmp_path: Path) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield tar(one="1")[:512]
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        SHELL.put(str(tmp_path), breaks_off(), doing="write")


def test_what_does_not_take_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="could not write"):
        SHELL.put(str(tmp_path / "none"), (b"x" * 2**16 for _ in range(100)), doing="write")
