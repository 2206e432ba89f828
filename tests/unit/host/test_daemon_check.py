"""What dockerd says of a daemon.json: asked by its own program, with its own flags, whatever they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from devreg.host import daemon_check
from devreg.host import run as programs
from devreg.host.daemon_check import complaint
from devreg.host.dockerd import Dockerd, Manager

CONTENT = b'{"debug": true}\n'
FILE = Path("/etc/docker/daemon.json")
# A running dockerd is a sleeping shell; called with --validate, which is in its words then, it does as it is told.
PROGRAM = r"""
for word; do
    if [ "$word" = --validate ]; then
        printf '%s\n' "$PATH" "$@" >"$here/asked"
        cat /dev/stdin >"$here/read"
        . "$here/answer"
        exit 0
    fi
done
while :; do sleep 1; done
"""


class Program:
    """A program of dockerd's name: a copy of the shell, so that /proc tells it, which runs PROGRAM."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.file = folder / "bin/dockerd"
        self.file.parent.mkdir()
        shutil.copy(Path("/bin/sh").resolve(), self.file)
        self.script = folder / "script"
        self.script.write_text(f'here="{folder}"\n{PROGRAM}')
        self.answers("")
        self._stack = stack

    def answers(self, script: str) -> None:
        """What it does when it is asked."""
        (self.folder / "answer").write_text(f"{script}\n")

    def run(self, *flags: str, path: str | None = "/usr/bin:/bin") -> Dockerd:
        """A running one with these flags; `path` is its PATH."""
        environment = {} if path is None else {"PATH": path}
        process = self._stack.enter_context(
            subprocess.Popen([str(self.file), str(self.script), *flags], env=environment, start_new_session=True)
        )
        self._stack.callback(lambda: os.killpg(process.pid, 9))
        while not psutil.Process(process.pid).cmdline():  # the kernel has none for a moment
            time.sleep(0.01)
        return Dockerd(process.pid, FILE, (), Manager.DETACHED)

    @property
    def asked(self) -> list[str]:
        """Its PATH and its words, when it was asked; [] when it was not."""
        file = self.folder / "asked"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    with ExitStack() as stack:
        yield Program(tmp_path, stack)


@pytest.mark.parametrize("content", [CONTENT, b"{}", b"", b"\xff\0" * 100_000], ids=["some", "empty", "none", "bytes"])
def test_a_file_that_it_takes(program: Program, content: bytes) -> None:
    assert complaint(program.run("--debug"), content) is None
    assert (program.folder / "read").read_bytes() == content


def test_its_words_name_the_file_and_not_the_stream(program: Program) -> None:
    program.answers(
        'echo "time=now level=warning" >&2\n'
        'echo "unable to configure the Docker daemon with file /dev/stdin: bogus" >&2\necho "  " >&2\nexit 1'
    )
    said = complaint(program.run(), CONTENT)
    assert said == f"unable to configure the Docker daemon with file {FILE}: bogus"


def test_a_refusal_without_words_is_one(program: Program) -> None:
    program.answers("exit 7")
    said = complaint(program.run(), CONTENT)
    assert said is not None
    assert "failed with code 7" in said


@pytest.mark.parametrize(
    "words", ["unknown flag: --validate", "Status: unknown flag: --validate\nSee 'dockerd --help'., Code: 125"]
)
def test_a_program_that_cannot_be_asked_has_no_complaint(program: Program, words: str) -> None:
    program.answers(f"cat >&2 <<'END'\n{words}\nEND\nexit 125")
    assert complaint(program.run(), CONTENT) is None
    assert program.asked


def test_another_unknown_flag_is_a_complaint(program: Program) -> None:
    program.answers('echo "unknown flag: --bogus" >&2\nexit 125')
    assert complaint(program.run("--bogus"), CONTENT) == "unknown flag: --bogus"


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ((), ()),
        (("-H", "fd://", "--debug"), ("-H", "fd://", "--debug")),
        (("--config-file", "/a b.json", "--debug"), ("--debug",)),
        (("--config-file=/a.json", "--debug"), ("--debug",)),
        (("--debug", "--config-file", "/a.json"), ("--debug",)),
        (("--config-file", "--config-file=x", "--debug"), ("--debug",)),
        (("--config-files=x",), ("--config-files=x",)),
        (("--label", "a b", "--label", ""), ("--label", "a b", "--label", "")),
    ],
)
def test_it_gets_its_own_flags_and_the_stream_for_its_file(
    program: Program, flags: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    complaint(program.run(*flags), CONTENT)
    assert program.asked[1:] == [*kept, "--validate", "--config-file", "/dev/stdin"]


def test_it_gets_its_own_path(program: Program) -> None:
    complaint(program.run(path="/opt/docker/bin:/usr/bin:/bin"), CONTENT)
    assert program.asked[0] == "/opt/docker/bin:/usr/bin:/bin"


def test_one_without_a_path_gets_the_systems(program: Program) -> None:
    complaint(program.run(path=None), CONTENT)
    assert program.asked[0] == os.defpath


def test_one_that_was_upgraded_is_asked_by_its_new_program(program: Program) -> None:
    running = program.run()
    newer = program.folder / "newer"
    shutil.copy(program.file, newer)
    newer.replace(program.file)
    program.answers('echo "the new one refuses" >&2\nexit 1')
    assert str(Path(f"/proc/{running.pid}/exe").readlink()).endswith(" (deleted)")
    assert complaint(running, CONTENT) == "the new one refuses"


def test_a_program_that_was_removed_has_no_complaint(program: Program) -> None:
    running = program.run()
    program.file.unlink()
    assert complaint(running, CONTENT) is None
    assert program.asked == []


def test_a_process_that_is_gone_has_no_complaint() -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    assert complaint(Dockerd(process.pid, FILE, (), Manager.DETACHED), CONTENT) is None


def test_a_process_of_somebody_else_has_no_complaint(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    running = program.run()

    def denied(process: psutil.Process) -> str:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "exe", denied)
    assert complaint(running, CONTENT) is None
    assert program.asked == []


def test_one_that_does_not_come_to_an_end_has_no_complaint(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_check, "_SECONDS", 0.3)
    program.answers("exec sleep 600")
    assert complaint(program.run(), CONTENT) is None


def test_the_content_stays_out_of_the_words(program: Program) -> None:
    started: list[Any] = []
    secret = json.dumps({"proxies": {"http-proxy": "http://user:secret@proxy"}}).encode()
    running = program.run()
    real: Callable[..., Any] = programs.run

    def remembered(argv: list[str], **options: Any) -> Any:
        started.append((argv, options["env"]))
        return real(argv, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon_check, "run", remembered)
        complaint(running, secret)
    assert len(started) == 1
    assert "secret" not in repr(started)
