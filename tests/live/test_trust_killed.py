"""`devreg trust` killed with SIGKILL at each of its system calls that change files: never a half-written daemon.json,
and the next run ends in the right state."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from devreg.host.certificates import CA, CERT, KEY
from tests.live.conftest import DAEMON_JSON, reload, trusts
from tests.live.lab.devreg import STATE, Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.front import Front
from tests.live.lab.run import need, run
from tests.live.lab.strace import KILLED, Call, file_changes, kill_at
from tests.live.test_trust_ca import folders

__all__ = ["folders"]

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


@dataclass(frozen=True)
class Authority:
    """Somebody who trusts a registry by its CA and a client's certificate, where `etc` is the engine's /etc/docker."""

    root: Devreg
    etc: Path
    registry: Front

    @property
    def trust(self) -> tuple[str, ...]:
        """The words of the command."""
        files = [str(self.registry.folder / name) for name in ("ca.pem", "client.pem", "client.key")]
        return ("trust", self.registry.tls, "--ca", files[0], "--cert", files[1], "--key", files[2])

    @property
    def files(self) -> dict[str, bytes]:
        """What lies in the registry's folder."""
        found = (self.etc / "certs.d" / self.registry.tls).glob("*")
        return {path.name: path.read_bytes() for path in found}

    def command(self, *words: str, under: Sequence[str] = ()) -> list[str]:
        mount = ("sh", "-c", 'mount --bind "$0" /etc/docker && exec "$@"', str(self.etc))
        return [need("unshare", "util-linux"), "--mount", *mount, *self.root.command(*words, under=under)]

    def ok(self, *words: str) -> None:
        run(*self.command(*words))

    def calls(self, tmp_path: Path, *more: Path) -> list[Call]:
        """Those calls of the command that somebody sees who looks on. `more`: where else it changes files."""
        places = (Path("/etc/docker"), STATE, *more)
        found = file_changes(lambda under: self.command(*self.trust, under=under), places, tmp_path / "strace")
        assert {"openat", "write", "fsync", "rename", "unlink"} <= {call.name for call in found}
        return [call for call in found if call.name not in ("fsync", "fchmod")]

    def killed(self, call: Call, tmp_path: Path) -> None:
        done = kill_at(call, lambda under: self.command(*self.trust, under=under), tmp_path / "killed")
        assert done.returncode == KILLED, f"not killed: {call.shown}\n{done.stderr}"

    def start_anew(self) -> None:
        """Be as before the first run, but for the folder of all certificates."""
        shutil.rmtree(self.etc / "certs.d" / self.registry.tls, ignore_errors=True)
        for path in (self.root.state or STATE).glob("certificates*"):
            path.unlink()

    def left_over(self) -> list[str]:
        """What only a run that was killed leaves."""
        state = self.root.state or STATE
        return [*strays(self.etc), *strays(state), *(path.name for path in state.glob("*journal*"))]


@pytest.fixture
def authority(folders: Path, registries: Front, settings: Path, root: Devreg) -> Iterator[Authority]:
    del settings  # an engine that trusts nobody before and after
    made = Authority(root, folders, registries)
    made.ok(*made.trust)
    made.ok("untrust", registries.tls)
    assert (made.files, made.left_over()) == ({}, [])
    yield made
    shutil.rmtree(folders / "certs.d")


def test_trust_by_a_ca_killed_at_each_change_of_a_file(authority: Authority, tmp_path: Path) -> None:
    calls = authority.calls(tmp_path)
    whole = authority.files
    assert set(whole) == {CA, CERT, KEY}
    for call in calls:
        authority.start_anew()
        authority.killed(call, tmp_path)
        authority.ok(*authority.trust)
        assert authority.files == whole, call.shown
        assert authority.left_over() == [], call.shown
    print(f"killed at {len(calls)} of {len(calls)} calls")


def test_trust_by_a_ca_killed_and_then_another_registry(
    authority: Authority, spare_engine: Engine, settings: Path, tmp_path: Path
) -> None:
    """The registry was insecure before: either nothing has happened, or all of it."""
    address, ends = authority.registry.tls, []
    authority.ok("trust", "--force", OTHER, address)
    files = {path: path.read_bytes() for path in (settings, (authority.root.state or STATE) / "trust.json")}

    def start_anew() -> None:
        authority.start_anew()
        for path, content in files.items():
            path.write_bytes(content)
        reload(spare_engine)

    names = (CERT, KEY, settings.name, "trust.journal", "certificates-journal.json")
    put = [call for call in authority.calls(tmp_path, settings.parent) if call.name in ("rename", "unlink")]
    calls = [call for call in put if call.shown.rpartition("/")[2].partition('"')[0] in names]
    whole = authority.files
    assert set(whole) == {CA, CERT, KEY}
    for call in calls:
        start_anew()
        authority.killed(call, tmp_path)
        authority.ok("untrust", OTHER)
        ends.append(authority.files == whole)
        assert authority.files == (whole if ends[-1] else {}), call.shown
        listed = json.loads(settings.read_text()).get("insecure-registries", [])
        assert listed == ([] if ends[-1] else [address]), call.shown
        assert trusts(spare_engine, address) is not ends[-1], call.shown
        assert authority.left_over() == [], call.shown
    assert {True, False} == set(ends)
    print(f"killed at {len(calls)} of {len(put)} renames and removals")
