"""trust and untrust against a fake engine that reads a real file, with the habits measured on real ones."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from devreg.actions import trust_change
from devreg.actions.trust import Plan, Wish, carry_out, plan, planned, undoing
from devreg.flavours.found import found
from devreg.host import daemon_check, edits, files, services, unit_flags
from devreg.host.dockerd import Dockerd, Launch, Manager
from devreg.host.journal import Journal
from devreg.host.services import ServiceFailed
from devreg.model.address import Address
from devreg.model.engine import EngineInfo, RunningContainer
from devreg.model.errors import (
    ConfigUnusable,
    EngineRefused,
    EngineUnreachable,
    RollbackFailed,
    UsageError,
)
from devreg.model.events import Event, Warn
from devreg.model.results import Trusted
from devreg.model.verdict import Reach, Verdict

A = Address.parse("registry.example:5000")
BEFORE = '{\n  "debug": true,\n  "insecure-registries": [\n    "old:1"\n  ]\n}\n'
AFTER = '{\n  "debug": true,\n  "insecure-registries": [\n    "old:1",\n    "registry.example:5000"\n  ]\n}\n'

INFO = EngineInfo(
    version="28.5.1",
    operating_system="Debian",
    os_type="linux",
    rootless=False,
    podman=False,
    desktop=False,
    insecure=("old:1",),
    insecure_cidrs=("::1/128", "127.0.0.0/8"),
    live_restore=False,
    mirrors=(),
    storage_driver="overlay2",
)


class FakeEngine:
    """An engine and its dockerd: a reload acts on keys that are there, and only logs a file that it refuses."""

    def __init__(self, file: Path) -> None:
        self.host = "unix:///var/run/docker.sock"
        self.file = file
        self.state = INFO
        self.up = True
        self.deaf = 0  # how many of the next reloads have no effect
        self.heard = False  # whether it told of the last reload
        self.is_local = True
        self.verdict = Verdict(Reach.ANSWERED)
        self.done: list[str] = []

    def ping(self) -> bool:
        return self.up

    def info(self) -> EngineInfo:
        if not self.up:
            raise EngineUnreachable("down", hint="")
        return self.state

    def running(self) -> tuple[RunningContainer, ...]:
        return (RunningContainer("db", "always"), RunningContainer("job", "no"))

    def reload(self, _: Dockerd) -> None:
        self.done.append("reload")
        self.heard = False
        if self.deaf:
            self.deaf -= 1
            return
        settings = self._settings()
        self.heard = settings is not None
        if settings is not None and "insecure-registries" in settings:
            self.state = replace(self.state, insecure=tuple(settings["insecure-registries"]))

    def restart(self, dockerd: Dockerd, _: Callable[[], bool]) -> Dockerd:
        self.done.append("restart")
        settings = self._settings()
        self.up = settings is not None
        if settings is None:
            raise ServiceFailed("Docker could not be restarted: bad file")
        self.state = replace(self.state, insecure=tuple(settings.get("insecure-registries", ())))
        return dockerd

    def _settings(self) -> dict[str, list[str]] | None:
        settings = json.loads(self.file.read_text()) if self.file.exists() else {}
        return None if "bogus" in settings else settings


class Lab:
    """A daemon.json, an engine that reads it, and what the listener heard."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "etc/daemon.json"
        self.file.parent.mkdir()
        self.file.write_text(BEFORE)
        self.state = folder / "state"
        self.engine = FakeEngine(self.file)
        self.dockerd = Dockerd(4711, self.file, (), Manager.SYSTEMD, unit="docker.service")
        self.heard: list[Event] = []

    def trust(self, *addresses: Address, restart: bool = False, force: bool = False) -> Trusted:
        return self.carry_out(Wish(addresses or (A,), restart=restart, force=force))

    def untrust(self, address: Address = A) -> Trusted:
        return self.carry_out(Wish((address,), trusted=False))

    def carry_out(self, wish: Wish) -> Trusted:
        flavour = found(self.engine, self.state)  # type: ignore[arg-type]
        return carry_out(flavour, wish, listener=self.heard.append, state=self.state)

    def plan(self, address: Address = A, *, trusted: bool = True) -> Plan:
        return plan(found(self.engine, self.state), Wish((address,), trusted=trusted))  # type: ignore[arg-type]

    def warned(self, words: str) -> bool:
        return any(isinstance(event, Warn) and words in event.text for event in self.heard)

    def says(self, **changes: object) -> None:
        self.engine.state = replace(self.engine.state, **changes)  # type: ignore[arg-type]

    def backups(self) -> list[str]:
        return [path.read_text() for path in sorted((self.state / "backups").glob("*"))]

    def nothing_done(self) -> bool:
        return self.engine.done == [] and not self.backups()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    lab = Lab(tmp_path)
    monkeypatch.setattr("devreg.host.dockerd.find", lambda _: lab.dockerd)
    monkeypatch.setattr("devreg.flavours.dockerd_service.find", lambda _: lab.dockerd)
    monkeypatch.setattr("devreg.flavours.dockerd_service._START_SECONDS", 0.05)
    monkeypatch.setattr("devreg.engine.reloads.reloaded", lambda *_, **__: lab.engine.heard)
    monkeypatch.setattr("devreg.engine.reloads.last_reload", lambda _: None)
    monkeypatch.setattr("devreg.engine.reach.reaches", lambda *_: lab.engine.verdict)
    monkeypatch.setattr(unit_flags, "places", lambda *_: ())
    monkeypatch.setattr(services, "reload", lambda dockerd: lab.engine.reload(dockerd))
    monkeypatch.setattr(services, "restart", lambda dockerd, answers: lab.engine.restart(dockerd, answers))
    monkeypatch.setattr(files, "is_root", lambda: True)
    monkeypatch.setattr(trust_change, "_PROOF_SECONDS", 0.05)
    monkeypatch.setattr(trust_change, "_CONTAINER_SECONDS", 0.05)
    monkeypatch.setattr(trust_change, "_POLL_SECONDS", 0.01)
    return lab


# It works


def test_trust_adds_reloads_and_proves(lab: Lab) -> None:
    done = lab.trust()
    assert lab.file.read_text() == AFTER
    assert lab.engine.done == ["reload"]
    assert (done.address, done.flavour, done.file) == ("registry.example:5000", "rootful", str(lab.file))
    assert (done.changed, done.applied, done.verified, done.stopped) == (True, "reload", True, ())
    assert lab.backups() == [BEFORE]
    assert done.backup is not None
    assert Path(done.backup).parent == lab.state / "backups"


def test_a_second_trust_changes_nothing(lab: Lab) -> None:
    lab.trust()
    before = lab.file.stat()
    done = lab.trust()
    assert (done.changed, done.applied, done.verified, done.backup) == (False, "none", True, None)
    assert (lab.file.stat().st_ino, lab.file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert lab.engine.done == ["reload"]
    assert len(lab.backups()) == 1


@pytest.mark.parametrize("trusted", [True, False], ids=["trust", "untrust"])
def test_what_would_be_done_is_not_called_verified(lab: Lab, trusted: bool) -> None:
    if not trusted:
        lab.trust()
    wish = Wish((A,), trusted=trusted)
    would = planned(lab.plan(trusted=trusted), wish)
    assert (would.changed, would.verified) == (True, False)
    lab.carry_out(wish)
    would = planned(lab.plan(trusted=trusted), wish)
    assert (would.changed, would.verified) == (False, True)


def test_untrust_gives_the_old_bytes_back(lab: Lab) -> None:
    lab.trust()
    done = lab.untrust()
    assert lab.file.read_text() == BEFORE
    assert (done.changed, done.applied) == (True, "reload")
    assert lab.engine.state.insecure == ("old:1",)
    assert not lab.untrust().changed


@pytest.mark.parametrize("before", ['{\n  "debug": true\n}', "{}", None])
def test_the_last_entry_leaves_with_its_key(lab: Lab, before: str | None) -> None:
    lab.says(insecure=())
    if before is None:
        lab.file.unlink()
    else:
        lab.file.write_text(before)
    assert lab.trust().backup is None if before is None else True
    lab.untrust()
    assert lab.file.read_text() == (before or "{}\n")
    assert lab.engine.state.insecure == ()


def test_an_entry_that_is_in_the_file_but_not_live_takes_a_reload_only(lab: Lab) -> None:
    lab.file.write_text(AFTER)
    done = lab.trust()
    assert (done.changed, done.applied, done.backup) == (True, "reload", None)
    assert lab.engine.done == ["reload"]
    assert lab.file.read_text() == AFTER


@pytest.mark.parametrize("before", ['{"debug": true}', None])
def test_an_entry_that_is_live_but_not_in_the_file_can_be_untrusted(lab: Lab, before: str | None) -> None:
    lab.says(insecure=(str(A),))
    if before is None:
        lab.file.unlink()
    else:
        lab.file.write_text(before)
    assert lab.untrust().changed
    assert lab.engine.state.insecure == ()
    assert files.read(lab.file) == (before.encode() if before else None)


@pytest.mark.parametrize("address", ["127.0.0.1:5000", "127.1.2.3", "localhost:5000", "[::1]:5000", "10.1.2.3:5000"])
def test_an_address_in_a_trusted_network_needs_nothing(lab: Lab, address: str) -> None:
    lab.says(insecure_cidrs=("10.0.0.0/8", "::1/128", "127.0.0.0/8"))
    assert not lab.trust(Address.parse(address)).changed
    assert lab.nothing_done()
    assert not lab.untrust(Address.parse(address)).changed
    assert isinstance(lab.heard[-1], Warn)


def test_a_loopback_that_the_engine_does_not_trust_is_added(lab: Lab) -> None:
    lab.says(insecure_cidrs=("127.0.0.0/8",))  # engine 20.10 leaves ::1 out
    assert lab.trust(Address.parse("[::1]:5000")).changed


def test_an_address_that_is_trusted_by_a_flag_needs_nothing(lab: Lab) -> None:
    lab.dockerd = replace(lab.dockerd, flags=(str(A),))
    lab.says(insecure=(str(A),))
    assert not lab.trust().changed
    assert lab.nothing_done()


def test_restart_reloads_first_and_names_what_it_stopped(lab: Lab) -> None:
    done = lab.trust(restart=True)
    assert lab.engine.done == ["reload", "restart"]
    assert (done.applied, done.stopped) == ("restart", ("db", "job"))


def test_live_restore_stops_nothing(lab: Lab) -> None:
    lab.says(live_restore=True)
    assert lab.trust(restart=True).stopped == ()


def test_a_plan_reads_only_and_needs_no_root(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "is_root", lambda: False)
    found = lab.plan()
    assert (found.flavour, found.file, found.applied, found.todo) == ("rootful", str(lab.file), "reload", (A,))
    assert found.diff.splitlines()[-6:] == [
        '   "insecure-registries": [',
        '-    "old:1"',
        '+    "old:1",',
        '+    "registry.example:5000"',
        "   ]",
        " }",
    ]
    assert not lab.plan(trusted=False).changed
    assert lab.nothing_done()
    assert not lab.state.exists()


# It refuses, with nothing touched


def refuse(lab: Lab, kind: type[Exception], words: str, *, restart: bool = False) -> str:
    """Check that trust refuses and leaves everything as it was; return the hint."""
    before = files.read(lab.file)
    with pytest.raises(kind, match=words) as caught:
        lab.trust(restart=restart)
    assert files.read(lab.file) == before
    assert lab.nothing_done()
    return str(getattr(caught.value, "hint", ""))


def test_a_remote_engine(lab: Lab) -> None:
    lab.engine.is_local = False
    refuse(lab, ConfigUnusable, "remote")


def test_without_root(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "is_root", lambda: False)
    monkeypatch.setattr(files, "may_write", lambda _: False)
    assert "sudo" in refuse(lab, ConfigUnusable, "takes root")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n  "debug": true,\n}', r"daemon\.json, line [23], column .*trailing comma"),
        ('{"debug": true, "debug": false}', "twice"),
        ('{"insecure-registries": "x"}', "list"),
        ('{"insecure-registries": ["x/"]}', r"line 1, column 26: with 'x/' in .* Docker does not start"),
        ("\ufeff{}", "byte order mark"),
    ],
)
def test_a_broken_file(lab: Lab, text: str, words: str) -> None:
    lab.file.write_text(text)
    refuse(lab, ConfigUnusable, words)


def test_an_odd_entry_that_the_engine_has_taken_is_no_fault(lab: Lab) -> None:
    lab.file.write_text('{"insecure-registries": ["[::2]"]}')
    lab.says(insecure=("[::2]",))
    assert lab.trust().changed


def test_flags_that_would_conflict_with_the_file(lab: Lab) -> None:
    lab.dockerd = replace(lab.dockerd, flags=("other:1",))
    assert "move the values" in refuse(lab, ConfigUnusable, "runs with --insecure-registry flags")


def test_an_address_that_the_engine_would_not_start_with(lab: Lab) -> None:
    with pytest.raises(UsageError, match=r"refuse \[::2\]"):
        lab.trust(Address.parse("[::2]"))
    assert lab.nothing_done()


def test_a_restart_of_what_another_program_watches_over(lab: Lab) -> None:
    lab.dockerd = Dockerd(4711, lab.file, (), Manager.DETACHED)
    refuse(lab, EngineRefused, "may watch over it", restart=True)


@pytest.mark.parametrize(
    ("version", "loses"),
    [("23.0.0", True), ("23.0.6+dfsg", True), ("24.0.0", True), ("23.0.7", False), ("24.0.1", False), ("", False)],
)
def test_engines_that_lose_the_list_on_reload_take_a_restart(lab: Lab, version: str, loses: bool) -> None:
    lab.says(version=version, mirrors=("https://mirror/",))
    done = lab.trust()
    assert done.applied == ("restart" if loses else "reload")
    assert lab.engine.done == [done.applied]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails(lab: Lab, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if "state" not in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(ConfigUnusable, match="could not write"):
        lab.trust()
    assert lab.file.read_text() == BEFORE
    assert lab.engine.done == []
    assert [path.name for path in lab.file.parent.iterdir()] == ["daemon.json"]


def test_no_room_for_the_backup(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> NoReturn:
        raise ConfigUnusable("could not back up", hint="")

    monkeypatch.setattr(files, "backup", fail)
    refuse(lab, ConfigUnusable, "could not back up")


# It undoes


@pytest.mark.parametrize("before", [BEFORE, '{"debug": true}', None])
@pytest.mark.parametrize("deaf", [1, 2])
def test_no_effect_puts_file_and_engine_back(lab: Lab, before: str | None, deaf: int) -> None:
    if before is None:
        lab.file.unlink()
    else:
        lab.file.write_text(before)
    lab.engine.deaf = deaf
    with pytest.raises(EngineRefused, match=r"told of no reload .*; .* as they were") as caught:
        lab.trust()
    assert "journalctl -u docker.service" in caught.value.hint
    assert files.read(lab.file) == (before.encode() if before is not None else None)
    assert lab.engine.state.insecure == ("old:1",)
    assert lab.engine.done == ["reload", "reload"]


@pytest.mark.parametrize("restart", [True, False])
def test_a_file_that_docker_refuses_for_another_reason_never_stops_docker(lab: Lab, restart: bool) -> None:
    lab.file.write_text('{"bogus": 1}')
    with pytest.raises(EngineRefused):
        lab.trust(restart=restart)
    assert lab.file.read_text() == '{"bogus": 1}'
    assert lab.engine.up
    assert "restart" not in lab.engine.done


def test_an_interrupt_undoes_what_had_taken_effect(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = lab.engine.reload, 0

    def interrupted(dockerd: Dockerd) -> None:
        nonlocal calls
        calls += 1
        real(dockerd)
        if calls == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(services, "reload", interrupted)
    lab.file.write_text("{}")
    with pytest.raises(KeyboardInterrupt):
        lab.trust()
    assert lab.file.read_text() == "{}"
    assert lab.engine.state.insecure == ("old:1",)


def test_docker_that_died_is_started_again_with_the_old_file(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(_: Dockerd) -> None:
        lab.engine.up = False
        raise ServiceFailed("it died")

    monkeypatch.setattr(services, "reload", dies)
    with pytest.raises(EngineRefused, match="it died"):
        lab.trust()
    assert lab.file.read_text() == BEFORE
    assert lab.engine.up
    assert lab.engine.done == ["restart"]


def test_a_restart_that_fails_is_repeated_with_the_old_file(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = lab.engine.restart

    def fails_with_the_new_file(dockerd: Dockerd, answers: Callable[[], bool]) -> Dockerd:
        if lab.file.read_text() == AFTER:
            lab.engine.up = False
            raise ServiceFailed("Docker could not be restarted: no")
        return real(dockerd, answers)

    monkeypatch.setattr(services, "restart", fails_with_the_new_file)
    with pytest.raises(EngineRefused, match="could not be restarted: no"):
        lab.trust(restart=True)
    assert lab.file.read_text() == BEFORE
    assert lab.engine.up
    assert lab.engine.state.insecure == ("old:1",)


def test_an_undo_that_fails_names_both_causes_and_the_way_by_hand(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(_: Dockerd) -> None:
        lab.engine.up = False
        raise ServiceFailed("first cause")

    def stays_down(*_: object) -> NoReturn:
        raise ServiceFailed("second cause")

    monkeypatch.setattr(services, "reload", dies)
    monkeypatch.setattr(services, "restart", stays_down)
    with pytest.raises(RollbackFailed, match=r"first cause; .*second cause") as caught:
        lab.trust()
    backup = next((lab.state / "backups").iterdir())
    assert f"sudo cp {backup} {lab.file}" in caught.value.hint
    assert "systemctl reset-failed" in caught.value.hint
    assert lab.file.read_text() == BEFORE


def test_an_engine_that_does_not_go_back_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def loses(_: Dockerd) -> None:
        lab.says(insecure=())

    monkeypatch.setattr(services, "reload", loses)
    with pytest.raises(RollbackFailed, match="did not go back"):
        lab.trust()
    assert lab.file.read_text() == BEFORE


def test_an_empty_list_that_cannot_be_tidied_away_stays(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.file.write_text('{"insecure-registries": ["registry.example:5000"]}')
    lab.says(insecure=(str(A),))
    real = edits.put

    def fail(edit: edits.Edit, content: bytes | None) -> None:
        if content == b"{}":
            raise ConfigUnusable("the file system is full", hint="")
        real(edit, content)

    monkeypatch.setattr(edits, "put", fail)
    assert lab.untrust().changed
    assert lab.file.read_text() == '{"insecure-registries": []}'
    assert lab.warned("not all of its traces")


def test_the_log_of_a_detached_dockerd_is_named(lab: Lab) -> None:
    launch = Launch(("dockerd",), Path("/"), Path("/tmp/d.log"), {})
    lab.dockerd = Dockerd(4711, lab.file, (), Manager.DETACHED, launch=launch)
    lab.engine.deaf = 1
    with pytest.raises(EngineRefused) as caught:
        lab.trust()
    assert "/tmp/d.log" in caught.value.hint


# Several at once, and what came of them


def test_several_addresses_take_one_change(lab: Lab) -> None:
    second = Address.parse("10.9.8.7:5000")
    done = lab.trust(A, second)
    assert lab.engine.done == ["reload"]
    assert done.addresses == (str(A), str(second))
    assert lab.engine.state.insecure == ("old:1", str(A), str(second))
    assert [probe.reach for probe in done.probes] == ["answered", "answered"]


@pytest.mark.parametrize(
    ("reach", "verified", "warning"),
    [
        (Reach.UNREACHABLE, True, "could not reach it to try: words"),
        (Reach.STRANGER, False, "no registry: a pull will"),
    ],
)
def test_a_registry_that_does_not_answer_as_one(lab: Lab, reach: Reach, verified: bool, warning: str) -> None:
    lab.engine.verdict = Verdict(reach, "words")
    done = lab.trust()
    assert (done.changed, done.verified, done.probes[0].reach) == (True, verified, reach.value)
    assert lab.warned(warning)


def test_trust_that_a_pull_does_not_get_is_undone(lab: Lab) -> None:
    lab.engine.verdict = Verdict(Reach.REFUSED, "server gave HTTP response to HTTPS client")
    with pytest.raises(EngineRefused, match=r"does not get through .* HTTP response .* as they were"):
        lab.trust()
    assert lab.file.read_text() == BEFORE
    assert lab.engine.state.insecure == ("old:1",)


def test_what_was_put_back_is_nobody_elses_change(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is newer than the reload that the engine went back by."""
    monkeypatch.setattr("devreg.host.processes.started", lambda _: 10.0)
    monkeypatch.setattr("devreg.engine.reloads.last_reload", lambda _: 100.0)
    os.utime(lab.file, (50.0, 50.0))
    lab.engine.verdict = Verdict(Reach.REFUSED, "x509: no")
    with pytest.raises(EngineRefused):
        lab.trust()
    lab.engine.verdict = Verdict(Reach.ANSWERED)
    assert lab.trust().changed


def test_undo_takes_away_what_devreg_has_added_only(lab: Lab) -> None:
    lab.trust(A)
    lab.trust(Address.parse("gone:1"))
    lab.untrust(Address.parse("gone:1"))
    lab.file.write_text(lab.file.read_text().replace('"debug": true', '"debug": false'))
    flavour = found(lab.engine, lab.state)  # type: ignore[arg-type]
    wish = undoing(flavour, Wish(()), lab.state)
    assert wish.addresses == (A,)
    lab.carry_out(replace(wish, force=True))
    assert lab.file.read_text() == BEFORE.replace("true", "false")
    assert undoing(flavour, Wish(()), lab.state).addresses == ()


# What others have begun


def test_an_entry_of_others_that_is_not_live_yet_is_not_brought_along(lab: Lab) -> None:
    lab.file.write_text(BEFORE.replace("old:1", "pending:1"))
    assert "--force" in refuse(lab, ConfigUnusable, "lists pending:1, which the running engine does not trust")
    assert lab.trust(force=True).changed


@pytest.mark.parametrize(("written", "refused"), [(200.0, True), (100.0, False), (50.0, False)])
def test_a_file_written_after_the_engine_last_read_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, written: float, refused: bool
) -> None:
    monkeypatch.setattr("devreg.host.processes.started", lambda _: 10.0)
    monkeypatch.setattr("devreg.engine.reloads.last_reload", lambda _: 100.0)
    os.utime(lab.file, (written, written))
    if refused:
        refuse(lab, ConfigUnusable, "was changed after the engine last read it")
    else:
        assert lab.trust().changed


def test_what_devreg_itself_has_left_is_nobody_elses_change(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.host.processes.started", lambda _: 10.0)
    lab.file.write_text("{}")
    lab.says(insecure=())
    os.utime(lab.file, (5.0, 5.0))
    lab.trust()
    lab.untrust()
    assert lab.trust().changed


def test_a_flag_that_dockerd_gets_at_its_next_start(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    line = unit_flags.Line(
        Path("/etc/systemd/system/docker.service.d/x.conf"), 3, "ExecStart=dockerd --insecure-registry a"
    )
    monkeypatch.setattr(unit_flags, "places", lambda *_: (line,))
    refuse(lab, ConfigUnusable, r"at its next start .*x\.conf, line 3")


@pytest.mark.parametrize("broken_before", [True, False])
def test_dockerd_itself_is_asked(lab: Lab, monkeypatch: pytest.MonkeyPatch, broken_before: bool) -> None:
    def complaint(_: Dockerd, content: bytes) -> str | None:
        return "no such directive" if broken_before or content == AFTER.encode() else None

    monkeypatch.setattr(daemon_check, "complaint", complaint)
    kind, words = (ConfigUnusable, "broken already") if broken_before else (EngineRefused, "would not start with")
    refuse(lab, kind, f"{words}.*no such directive")


# It was killed


class Killed(BaseException):
    """Stands for SIGKILL: nothing of devreg runs after it."""


def kill_trust(lab: Lab, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Have `trust` killed when it comes to a function of trust_change."""

    def die(*_: object, **__: object) -> NoReturn:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(trust_change, where, die)
        patch.setattr(trust_change, "_undo", die)
        with pytest.raises(Killed):
            lab.trust()


@pytest.mark.parametrize("when", ["written", "reloaded", "proven"])
@pytest.mark.parametrize("before", [BEFORE, "{}", None])
def test_a_killed_run_is_undone_or_completed_by_the_next(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, when: str, before: str | None
) -> None:
    if before is None:
        lab.file.unlink()
    else:
        lab.file.write_text(before)

    kill_trust(lab, monkeypatch, {"written": "_apply", "reloaded": "_prove", "proven": "complete"}[when])
    assert Journal(lab.state).interrupted() is not None
    other = Address.parse("other:1")
    lab.trust(other)
    assert Journal(lab.state).interrupted() is None
    kept = ["old:1"] if before == BEFORE else []
    added = [str(A), str(other)] if when == "proven" else [str(other)]
    assert json.loads(lab.file.read_text())["insecure-registries"] == kept + added
    assert set(added) <= set(lab.engine.state.insecure)
    assert (str(A) in lab.engine.state.insecure) is (when == "proven")


def test_a_file_that_others_changed_after_a_killed_run_is_theirs(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_trust(lab, monkeypatch, "_apply")
    theirs = AFTER.replace("true", "false")
    lab.file.write_text(theirs)
    lab.trust(force=True)
    assert lab.file.read_text() == theirs
    assert lab.warned("changed by somebody else meanwhile")
    assert str(A) in lab.engine.state.insecure


def test_without_an_engine_a_killed_run_gets_its_file_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_trust(lab, monkeypatch, "_apply")
    assert lab.file.read_text() == AFTER
    trust_change.recover(None, lab.state, lab.heard.append)
    assert lab.file.read_text() == BEFORE
    assert Journal(lab.state).interrupted() is None


def test_a_killed_run_at_another_engine_gets_its_file_back_only(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_trust(lab, monkeypatch, "_apply")
    other = lab.file.with_name("other.json")
    other.write_text(BEFORE)
    lab.dockerd = replace(lab.dockerd, config_file=other)
    lab.engine.file = other
    lab.trust(Address.parse("b:1"))
    assert lab.file.read_text() == BEFORE
    assert lab.engine.done == ["reload"]
    assert "b:1" in other.read_text()


def test_an_engine_that_goes_away_while_it_is_waited_for(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> NoReturn:
        lab.engine.up = False
        raise EngineUnreachable("it went away", hint="")

    monkeypatch.setattr("devreg.engine.reloads.reloaded", gone)
    with pytest.raises(EngineRefused, match=r"it went away; .* as they were"):
        lab.trust()
    assert lab.file.read_text() == BEFORE
    assert lab.engine.up
