"""A change of what systemd and nginx run, interrupted at each of its moments: everything is as it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from devreg.actions.serving import install_change
from devreg.actions.serving.install_change import Goal
from devreg.engine.client import Engine, connect
from devreg.host.install_record import Before, InstallRecord, Put
from devreg.host.kept_files import Kept, look
from devreg.host.system_units import UnitState
from devreg.model.errors import RollbackFailed, ServerError
from devreg.model.events import Event, Warn
from devreg.model.installed import InstalledSite
from devreg.model.server import Listen
from devreg.server.targets import NETWORK, UNIT, VOLUME
from tests.unit.engine.fake import FakeEngine
from tests.unit.host.moments import at_each, kills
from tests.unit.host.programs import Programs
from tests.unit.host.services import Services

ON = UnitState(enabled=True, active=True)
OFF = UnitState()
SITE = InstalledSite(Listen("127.0.0.1", 80), "127.0.0.1", "127.0.0.1", "off", None, "registry:2")
NEW = {UNIT: "new unit", "site": "new site", "users": "alice:x"}


@dataclass(frozen=True)
class Lab:
    """A machine whose files are below `root`."""

    root: Path
    engine: Engine
    fake: FakeEngine
    services: Services
    heard: list[Event]

    @property
    def record(self) -> InstallRecord:
        return InstallRecord(self.root / "state")

    def goal(self, unit: UnitState = ON, files: Mapping[str, str | None] = NEW) -> Goal:
        contents = {**NEW, **files}
        own = {"owner": os.geteuid(), "group": os.getegid()}
        return Goal(
            {
                self.root / name: None
                if text is None
                else Kept(text.encode(), 0o640 if name == "users" else 0o644, **own)
                for name, text in contents.items()
            },
            unit,
        )

    def carry_out(self, goal: Goal, prove: Callable[[], None] = lambda: None) -> None:
        install_change.carry_out(
            self.engine, goal, self.record, prove, lambda before: _put(goal, before), self.heard.append
        )

    @property
    def state(self) -> object:
        """All that a change may touch."""
        files = {path.name: look(path) for path in self.root.iterdir() if path.is_file()}
        return files, self.services.state, set(self.fake.volumes), set(self.fake.networks)

    def recover(self) -> None:
        install_change.recover(self.engine, self.record, self.heard.append)


def _put(goal: Goal, before: Before) -> Put:
    return Put({path: kept.digest for path, kept in goal.files.items() if kept}, before, SITE)


@pytest.fixture(params=["nothing", "another"])
def lab(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fake: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    heard: list[Event],
) -> Lab:
    """With nothing there, or with an older set-up that runs."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "root").mkdir()
    services = Services.put(tmp_path / "services", Programs(tmp_path / "bin", monkeypatch))
    lab = Lab(tmp_path / "root", connect(), fake, services, heard)
    if request.param == "another":
        for name in (UNIT, "users"):
            (lab.root / name).write_text(f"old {name}")
        services.mark(f"{UNIT}.active")
        services.mark(f"{UNIT}.enabled")
        fake.volumes[VOLUME] = {}
    return lab


def fails() -> None:
    raise ServerError("the proof failed", hint="")


def test_a_change_is_made(lab: Lab) -> None:
    goal = lab.goal()
    assert not install_change.reached(goal)
    lab.carry_out(goal)
    assert install_change.reached(goal)
    assert lab.record.under_way() is None
    assert {f"{UNIT}.active", f"{UNIT}.enabled"} <= lab.services.state
    assert VOLUME in lab.fake.volumes


def test_the_service_starts_anew_only_for_its_own_files(lab: Lab) -> None:
    lab.carry_out(lab.goal())
    restarts = lab.services.programs.calls.count(f"systemctl restart {UNIT}")
    lab.carry_out(lab.goal(files={"site": "newer site"}))
    assert lab.services.programs.calls.count(f"systemctl restart {UNIT}") == restarts
    lab.carry_out(lab.goal(files={UNIT: "newer unit"}))
    assert lab.services.programs.calls.count(f"systemctl restart {UNIT}") == restarts + 1


@pytest.mark.parametrize("fault", ["proof", "broken"])
def test_what_fails_is_undone(lab: Lab, fault: str) -> None:
    before = lab.state
    if fault != "proof":
        lab.services.mark(fault)
    with pytest.raises(ServerError):
        lab.carry_out(lab.goal(), fails)
    if fault != "proof":
        lab.services.mark(fault, there=False)
    assert lab.state == before
    assert lab.record.under_way() is None


def test_an_interruption_is_undone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Ctrl-C at each change of a file in turn, those of the way back too."""
    before = lab.state
    for number in count():
        came: list[int] = []

        def happens(now: int, number: int = number, came: list[int] = came) -> None:
            if now == number:
                came.append(now)
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises((KeyboardInterrupt, ServerError)):
            at_each(monkeypatch, lambda: lab.carry_out(lab.goal(), fails), happens)
        assert lab.state == before, number
        assert lab.record.under_way() is None, number
        if not came:
            break
    assert number > 5


def test_a_killed_run_is_undone_by_the_next(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    before, times = lab.state, 0
    for number in kills(monkeypatch, lambda: lab.carry_out(lab.goal())):
        if lab.record.installed() is not None:
            break
        lab.recover()
        assert lab.state == before, number
        assert lab.record.under_way() is None, number
        times += 1
    assert times > 5
    assert [event for event in lab.heard if isinstance(event, Warn) and "undone first" in event.text]


def test_a_file_that_somebody_else_has_changed_meanwhile_stays(lab: Lab) -> None:
    def somebody() -> None:
        (lab.root / "site").write_text("theirs")
        fails()

    with pytest.raises(ServerError):
        lab.carry_out(lab.goal(), somebody)
    assert (lab.root / "site").read_text() == "theirs"
    assert [event for event in lab.heard if isinstance(event, Warn) and "stays as it is" in event.text]


def test_a_way_back_that_fails_is_told(lab: Lab) -> None:
    def worse() -> None:
        lab.services.mark("fails-daemon-reload")
        fails()

    with pytest.raises(RollbackFailed, match=r"the proof failed; .* no daemon-reload today"):
        lab.carry_out(lab.goal(), worse)


def test_files_and_service_are_taken_away(lab: Lab) -> None:
    lab.carry_out(lab.goal())
    lab.carry_out(lab.goal(OFF, dict.fromkeys(NEW)))
    assert [path.name for path in lab.root.iterdir() if path.is_file()] == []
    assert lab.services.state == {"nginx.service.active"}
    assert NETWORK not in lab.fake.networks
