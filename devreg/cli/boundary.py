"""The only place that turns exceptions into a message and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

import typer

from devreg import __version__
from devreg.model.errors import DevregError, PartlyDone
from devreg.output import console, document

BUG = 3
INTERRUPTED = 130
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_OWN = Path(__file__).parents[1]


def run(app: typer.Typer, words: Sequence[str]) -> int:
    """Run the command line, and give the exit code. Nothing raised below gets past here."""
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            signal.signal(number, _as_interrupt)
    code = 0
    try:
        code = _run(app, words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of a pipe has gone, as `head` does: that is no failure, and nobody is left to tell.
        _close_stdout()
    except OSError as error:
        _close_stdout()
        console.failure(f"the result could not be written: {error.strerror}", "make room where stdout leads to")
        return PartlyDone.exit_code
    return code


def _run(app: typer.Typer, words: Sequence[str]) -> int:
    as_json = "--json" in words
    try:
        return _invoke(app, words)
    except DevregError as error:
        return _tell(words, as_json, error.code, error.message, error.hint, error.exit_code)
    except typer.TyperException as error:
        return _usage(words, as_json, error)
    except (typer.Abort, EOFError, KeyboardInterrupt) as error:
        untouched = str(error)  # as whoever asked a question says
        message, hint = "interrupted", "run the command again: what was begun is undone or goes on"
        if untouched:
            message, hint = f"interrupted: {untouched}", "run the command again"
        return _tell(words, as_json, "interrupted", message, hint, INTERRUPTED)
    except Exception as error:  # the boundary is the one place for it
        if isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.ENOSPC):
            raise  # devreg's own files raise ConfigUnusable, so this is stdout
        return _bug(words, as_json, error)


def _invoke(app: typer.Typer, words: Sequence[str]) -> int:
    """Carry out the command. Not by typer's own `main`, which has its own ideas of pipes, Ctrl-C and exit codes."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("devreg", list(words)) as context:
            command.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    return 0


def _close_stdout() -> None:
    """Python flushes stdout once more at exit, and would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM and a closed terminal undo what Ctrl-C undoes."""
    raise KeyboardInterrupt


def _tell(words: Sequence[str], as_json: bool, code: str, message: str, hint: str, exit_code: int) -> int:
    if as_json and code != PartlyDone.code:  # a command that was partly done has printed its document
        with suppress(BrokenPipeError):  # the exit code still tells
            document.failure(_command(words), code, message, hint)
    else:
        console.failure(message, hint)
    return exit_code


def _usage(words: Sequence[str], as_json: bool, error: typer.TyperException) -> int:
    message = error.format_message()
    if not words or "\n" in message:  # no words at all: the message is the help
        console.note(message)
        return error.exit_code
    command = " ".join(["devreg", *_command(words).split()])
    return _tell(
        words, as_json, "usage", message.rstrip("."), f"`{command} --help` shows how it is used", error.exit_code
    )


def _bug(words: Sequence[str], as_json: bool, error: Exception) -> int:
    """A bug of ours: one line for the user, and a report to send. It has no values in it, so no secrets."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [
        f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in frames
        if _OWN in Path(frame.filename).parents
    ]
    where = " < ".join(reversed(lines[-6:]))
    report = f"devreg {__version__}, Python {sys.version.split()[0]}, {sys.platform}: {type(error).__name__} at {where}"
    return _tell(words, as_json, "bug", f"this is a bug in devreg: {report}", "please report that line", BUG)


def _command(words: Sequence[str]) -> str:
    """The command that the words name, such as `registry up`: what stands before the first option or argument."""
    group = typer.main.get_command(_app())
    names: list[str] = []
    for word in words:
        commands = getattr(group, "commands", {})
        if word not in commands:
            break
        names.append(word)
        group = commands[word]
    return " ".join(names)


def _app() -> typer.Typer:
    from devreg.cli.app import app

    return app
