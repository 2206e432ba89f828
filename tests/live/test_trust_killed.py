"""`devreg trust` killed with SIGKILL at each of its system calls that change files: never a half-written daemon.json,
and the next run ends in the right state."""

import json
from pathlib import Path

import pytest

from tests.live.conftest import DAEMON_JSON, reload, trusts
from tests.live.lab.devreg import STATE, Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.strace import KILLED, Call, file_changes, kill_at

# Loopback addresses that the engine does not trust of itself would be reached at once; this one does not resolve.
X, OTHER = "killed.invalid:5000", "other.invalid:5000"


@pytest.fixture
def warm(settings: Path, root: Devreg) -> Devreg:
    """Somebody who has used trust before: each run then makes the same calls."""
    root.ok("trust", X)
    root.ok("untrust", X)
    assert settings.read_text() == DAEMON_JSON
    return root


def calls_of(root: Devreg, settings: Path, tmp_path: Path, *words: str) -> list[Call]:
    found = file_changes(lambda under: root.command(*words, under=under), (settings.parent, STATE), tmp_path / "strace")
    assert len(found) > 20, found
    assert {"openat", "write", "fsync", "rename"} <= {call.name for call in found}
    return found


def strays(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name.endswith(".new")]


def test_trust_killed_at_each_change_of_a_file(
    settings: Path, warm: Devreg, spare_engine: Engine, tmp_path: Path
) -> None:
    calls = calls_of(warm, settings, tmp_path, "trust", X)
    trusted = settings.read_bytes()
    warm.ok("untrust", X)
    for call in calls:
        done = kill_at(call, lambda under: warm.command("trust", X, under=under), tmp_path / "killed")
        assert done.returncode == KILLED, f"not killed: {call.shown}"
        assert settings.read_bytes() in (DAEMON_JSON.encode(), trusted), call.shown
        warm.ok("trust", OTHER)
        lists = json.loads(settings.read_text())["insecure-registries"]
        assert lists in ([OTHER], [X, OTHER]), call.shown
        assert trusts(spare_engine, OTHER)
        assert trusts(spare_engine, X) is (X in lists), call.shown
        assert strays(settings.parent) == strays(warm.state or STATE) == []
        warm.ok("untrust", X, OTHER)
        assert settings.read_text() == DAEMON_JSON, call.shown
    print(f"killed at {len(calls)} of {len(calls)} calls")


def test_untrust_killed_at_each_change_of_a_file(
    settings: Path, warm: Devreg, spare_engine: Engine, tmp_path: Path
) -> None:
    """The list leaves with its last entry, so the file has three contents on its way."""
    warm.ok("trust", X)
    trusted = settings.read_bytes()
    calls = calls_of(warm, settings, tmp_path, "untrust", X)
    empty = json.loads(DAEMON_JSON) | {"insecure-registries": []}
    for call in calls:
        warm.ok("trust", X)
        assert settings.read_bytes() == trusted
        done = kill_at(call, lambda under: warm.command("untrust", X, under=under), tmp_path / "killed")
        assert done.returncode == KILLED, f"not killed: {call.shown}"
        now = settings.read_bytes()
        assert now in (DAEMON_JSON.encode(), trusted) or json.loads(now) == empty, call.shown
        warm.ok("untrust", X)
        assert settings.read_text() == DAEMON_JSON, call.shown
        assert not trusts(spare_engine, X)
        assert strays(settings.parent) == strays(warm.state or STATE) == []


def test_a_killed_run_is_repaired_while_docker_is_down(
    settings: Path, warm: Devreg, spare_engine: Engine, tmp_path: Path
) -> None:
    """A machine that went down in the middle: the engine may be waiting for the file to be mended."""
    calls = calls_of(warm, settings, tmp_path, "trust", X)
    warm.ok("untrust", X)
    after = next(
        number for number, call in enumerate(calls) if call.name == "rename" and f'/{settings.name}"' in call.shown
    )
    kill_at(calls[after + 1], lambda under: warm.command("trust", X, under=under), tmp_path / "killed")
    assert X in settings.read_text()
    spare_engine.stop()
    warm.fails(13, "trust", OTHER)
    assert settings.read_text() == DAEMON_JSON
    spare_engine.start()
    reload(spare_engine)
    warm.ok("trust", OTHER)
    assert not trusts(spare_engine, X)
    warm.ok("untrust", OTHER)
