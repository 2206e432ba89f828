"""devreg as a user types it: the real root command, in a home of its own."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devreg.cli import boundary, options
from devreg.cli.app import app
from devreg.output import console
from tests.http.server import Script, ScriptedServer, json_answer
from tests.unit.engine.fake import FakeEngine
from tests.unit.isolation import fake_engine, isolate


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value

    @property
    def data(self) -> Any:
        return self.document["data"]


NOBODY = "127.0.0.1:1"
"""Where nobody listens: the default registry, since something may well run at devreg's own default."""

Run = Callable[..., Outcome]
Serve = Callable[[Script], ScriptedServer]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The home folder, with nothing in it; no engine answers, and no registry does by default."""
    home = isolate(monkeypatch, tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("DEVREG_REGISTRY", NOBODY)
    monkeypatch.setattr("devreg.server.htpasswd.BCRYPT_COST", 4)  # nothing here is worth guessing
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield home
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run devreg with these words, `input` on standard input and no terminal anywhere."""

    def run(*words: str, input: str | bytes = "") -> Outcome:
        options.settings.__init__()  # type: ignore[misc]  # as a new process has them
        console.stdout.cache_clear()
        console.stderr.cache_clear()
        given = io.BytesIO(input.encode() if isinstance(input, str) else input)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(given, "utf-8"))
        capfd.readouterr()
        code = boundary.run(app, words)
        written = capfd.readouterr()
        return Outcome(code, written.out, written.err)

    return run


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[FakeEngine]:
    """An engine that answers where DOCKER_HOST says."""
    del home  # sets DOCKER_HOST first
    with fake_engine(monkeypatch) as engine:
        yield engine


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start a registry that answers by a script, and make it the default."""
    monkeypatch.setattr("httpx_retries.retry.time.sleep", lambda _seconds: None)
    started: list[ScriptedServer] = []

    def start(script: Script) -> ScriptedServer:
        started.append(ScriptedServer(_with_ping(script)).__enter__())
        monkeypatch.setenv("DEVREG_REGISTRY", started[-1].host)
        return started[-1]

    yield start
    for server in started:
        server.__exit__(None, None, None)


def _with_ping(script: Script) -> Script:
    return lambda asked: json_answer({}) if asked.target == "/v2/" else script(asked)
