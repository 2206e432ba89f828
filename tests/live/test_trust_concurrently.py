"""Many `devreg trust` at once, and runs that are told to stop at any moment: file and engine always agree."""

import json
import random
import signal
import time
from pathlib import Path

from tests.live.conftest import DAEMON_JSON, trusts
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine

ADDRESSES = [f"host{n}.invalid:5000" for n in range(20)]  # names that never resolve: nobody waits for an answer
X = ADDRESSES[0]
INTERRUPTED = 130
SEED, RUNS, LONGEST_SECONDS = 20240613, 30, 1.2


def all_at_once(root: Devreg, command: str) -> None:
    """One run for each address, all at the same time, which all have to end well."""
    calls = [root.start(command, address) for address in ADDRESSES]
    ends = [(call.communicate(timeout=300), call.returncode) for call in calls]
    failed = [f"{address}: {code}: {said[1]}" for address, (said, code) in zip(ADDRESSES, ends, strict=True) if code]
    assert not failed, "\n".join(failed)


def listed(settings: Path) -> list[str]:
    entries = json.loads(settings.read_text()).get("insecure-registries", [])
    assert isinstance(entries, list)
    return entries


def test_twenty_at_once_all_get_in_and_out_again(settings: Path, root: Devreg, spare_engine: Engine) -> None:
    all_at_once(root, "trust")
    assert sorted(listed(settings)) == sorted(ADDRESSES)
    assert all(trusts(spare_engine, address) for address in ADDRESSES)
    assert settings.read_text().startswith(DAEMON_JSON.rstrip("\n}"))
    all_at_once(root, "untrust")
    assert settings.read_text() == DAEMON_JSON
    assert not any(trusts(spare_engine, address) for address in ADDRESSES)


def test_runs_told_to_stop_at_any_moment_leave_file_and_engine_agreed(
    settings: Path, root: Devreg, spare_engine: Engine
) -> None:
    root.ok("trust", X)
    trusted, pid = settings.read_bytes(), spare_engine.pid
    chance = random.Random(SEED)  # noqa: S311  # not for secrets
    codes = []
    for number in range(RUNS):
        delay = chance.uniform(0, LONGEST_SECONDS)
        was_in = X in listed(settings)
        call = root.start("untrust" if was_in else "trust", X)
        time.sleep(delay)
        call.send_signal(signal.SIGTERM)
        _, stderr = call.communicate(timeout=120)
        run = f"run {number}, stopped after {delay:.3f} s with {call.returncode}: {stderr}"
        # SIGINT: so Python itself ends when the interrupt came while it ran text as code, as dataclasses do; 130 too.
        assert call.returncode in (0, INTERRUPTED, -signal.SIGTERM, -signal.SIGINT), run
        is_in = X in listed(settings)
        assert settings.read_bytes() == (trusted if is_in else DAEMON_JSON.encode()), run
        assert trusts(spare_engine, X) is is_in, run
        assert call.returncode or is_in is not was_in, run  # one that was stopped may have been done already
        assert root.state is not None
        assert not (root.state / "trust.journal").exists(), run
        codes.append(call.returncode)
    assert spare_engine.pid == pid
    assert len(set(codes)) > 1, f"all runs ended with {codes[0]}: none was stopped in its middle, or all were"
    print(f"ended well: {codes.count(0)}, undone: {codes.count(INTERRUPTED)}, not begun: {codes.count(-15)}")
