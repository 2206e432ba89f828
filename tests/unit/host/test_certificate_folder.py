"""A registry's folder in certs.d: what devreg puts there, whose it is, and the way back from each step of a change."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from devreg.host import files
from devreg.host.certificate_folder import Folder, interrupted, owned, recover
from devreg.host.certificates import CA, CERT, KEY
from devreg.model.errors import ConfigUnusable, RefusedOverwrite
from devreg.model.events import Event, Warn, silent
from tests.unit.host.moments import killed_at, kills

PEM, LEAF, SECRET = b"an authority", b"a certificate", b"a key"
WANTED = {CA: PEM, CERT: LEAF, KEY: SECRET}
BEFORE = {CA: b"old", KEY: b"old key", CERT: b"old certificate"}
ENTRY = Path("/etc/docker/daemon.json")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "certs.d/r.example:5000", tmp_path / "state")


def change(folder: Folder, entry: Path | None = None) -> None:
    """What an action does with a folder."""
    folder.begin(WANTED, entry)
    folder.write(WANTED)
    folder.end()


def half_change(folder: Folder, entry: Path | None = None, *, whole: bool = True) -> None:
    """Be killed after the last file, or after the first."""
    folder.begin(WANTED, entry)
    folder.write(WANTED if whole else {CA: PEM})


def there(folder: Folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.path.glob("*")}


def left(folder: Folder) -> list[str]:
    """What lies about beside the files and the record of whose they are."""
    root = folder.state.parent
    known = {*WANTED, "certificates.json"}
    return [path.name for path in root.rglob("*") if path.is_file() and path.name not in known]


def nobody_knows(registry: str, file: Path) -> None:
    del registry, file


def test_files_are_written_with_their_modes_and_taken_away_again(folder: Folder) -> None:
    folder.write({CA: PEM, CERT: PEM, KEY: SECRET})
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.path.iterdir()}
    assert modes == {CA: 0o644, CERT: 0o644, KEY: 0o600}
    assert folder.remove_own(silent) == ([folder.path / name for name in (CA, CERT, KEY)], [])
    assert not folder.path.exists()
    assert folder.owned() == {}


def test_a_file_of_somebody_else_is_not_written_over(folder: Folder) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / CA).write_bytes(b"theirs")
    with pytest.raises(RefusedOverwrite, match=r"ca\.crt is there already"):
        folder.refuse_foreign({CA: PEM})
    folder.refuse_foreign({CA: b"theirs"})


def test_a_file_of_somebody_else_with_the_same_content_stays_theirs(folder: Folder) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / CA).write_bytes(PEM)
    folder.write({CA: PEM, CERT: LEAF, KEY: SECRET})
    assert folder.remove_own(silent) == ([folder.path / CERT, folder.path / KEY], [])
    assert (folder.path / CA).read_bytes() == PEM


def test_a_file_of_somebody_else_is_kept_where_it_is_written_over(folder: Folder) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / CA).write_bytes(b"theirs")
    (copy,) = folder.write({CA: PEM})
    assert copy.read_bytes() == b"theirs"
    assert folder.write({CA: b"new"}) == []


def test_putting_back_leaves_alone_what_was_not_written(folder: Folder) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / KEY).write_bytes(SECRET)
    (folder.path / KEY).chmod(0o640)
    begun = folder.begin({CA: PEM})
    folder.write({CA: PEM})
    folder.put_back(begun, silent)
    assert (folder.path / KEY).stat().st_mode & 0o777 == 0o640


def test_different_registries_are_all_remembered(tmp_path: Path) -> None:
    one, other = (Folder(tmp_path / "certs.d" / name, tmp_path / "state") for name in ("one:1", "other:1"))
    one.write({CA: PEM})
    other.write({CA: PEM})
    assert Folder(one.path, tmp_path / "state").owned()
    one.remove_own(silent)
    assert not Folder(one.path, tmp_path / "state").owned()
    assert Folder(other.path, tmp_path / "state").owned()


def test_an_own_file_may_be_renewed(folder: Folder) -> None:
    folder.write({CA: PEM})
    folder.refuse_foreign({CA: b"new"})


def test_a_file_that_was_changed_since_stays(folder: Folder) -> None:
    folder.write({CA: PEM})
    (folder.path / CA).write_bytes(b"edited")
    assert folder.remove_own(silent) == ([], [folder.path / CA])
    assert (folder.path / CA).read_bytes() == b"edited"


def test_everything_can_be_put_back(folder: Folder) -> None:
    folder.write({CA: b"old"})
    own, wanted = folder.owned(), {CA: PEM, CERT: PEM, KEY: SECRET}
    begun = folder.begin(wanted)
    folder.write(wanted)
    folder.put_back(begun, silent)
    assert [path.name for path in folder.path.iterdir()] == [CA]
    assert (folder.path / CA).read_bytes() == b"old"
    assert folder.owned() == own


@pytest.mark.parametrize("before", [{}, BEFORE], ids=["nothing there", "other files there"])
def test_a_change_that_is_killed_is_undone_by_the_next_run(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, before: dict[str, bytes]
) -> None:
    if before:
        folder.write(before)
    own, number = folder.owned(), 0
    for number in kills(monkeypatch, lambda: change(folder)):
        recover(folder.state, nobody_knows, silent)
        assert left(folder) == [], number
        assert (there(folder), folder.owned()) == (before, own), number
    assert number >= 10
    assert there(folder) == WANTED


def test_a_removal_that_is_killed_is_undone_by_the_next_run(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write(WANTED)
    own, number = folder.owned(), 0
    for number in kills(monkeypatch, lambda: folder.remove_own(silent)):
        assert owned(folder.path.parent, folder.state) == (folder.path.name,), number  # `--undo` comes across it
        recover(folder.state, nobody_knows, silent)
        assert left(folder) == [], number
        assert (there(folder), folder.owned()) == (WANTED, own), number
    assert number >= 6
    assert there(folder) == {}


def test_a_way_back_that_is_killed_is_gone_by_the_next_run(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write(BEFORE)
    half_change(folder)
    number = 0
    while killed_at(monkeypatch, number, lambda: recover(folder.state, nobody_knows, silent)):
        number += 1
    assert number > 3
    assert (there(folder), left(folder)) == (BEFORE, [])


def test_the_record_of_a_change_is_for_nobody_elses_eyes_and_has_no_new_secret(folder: Folder) -> None:
    folder.begin(WANTED)
    (journal,) = left(folder)
    file = folder.state / journal
    assert file.stat().st_mode & 0o777 == 0o600
    assert all(text not in file.read_bytes() for text in (SECRET, b64encode(SECRET)))


def test_what_others_changed_after_a_killed_run_is_theirs(folder: Folder, heard: list[Event]) -> None:
    folder.write(BEFORE)
    half_change(folder)
    (folder.path / CERT).write_bytes(b"theirs")
    (folder.path / KEY).unlink()
    recover(folder.state, nobody_knows, heard.append)
    assert there(folder) == {CA: BEFORE[CA], CERT: b"theirs"}
    assert sum("somebody else" in event.text for event in heard if isinstance(event, Warn)) == 2
    assert left(folder) == []


@pytest.mark.parametrize(
    ("whole", "listed", "stays", "words"),
    [
        (True, True, False, "is undone first"),
        (True, False, True, ""),
        (False, True, False, "is undone first"),
        (False, False, False, "`devreg trust r.example:5000` does so again"),
        (False, None, False, "is undone first"),
    ],
)
def test_a_ca_that_an_insecure_entry_has_gone_for_stays(
    folder: Folder, heard: list[Event], whole: bool, listed: bool | None, stays: bool, words: str
) -> None:
    half_change(folder, ENTRY, whole=whole)
    asked = []

    def lists(registry: str, file: Path) -> bool | None:
        asked.append((registry, file))
        return listed

    recover(folder.state, lists, heard.append)
    assert asked == [("r.example:5000", ENTRY)]
    assert there(folder) == (WANTED if stays else {})
    assert bool(folder.owned()) is stays
    assert words in "".join(event.text for event in heard if isinstance(event, Warn))
    assert bool(heard) is bool(words)
    assert left(folder) == []


def test_whole_files_wait_for_a_run_that_can_tell_of_the_entry(folder: Folder, heard: list[Event]) -> None:
    half_change(folder, ENTRY)
    recover(folder.state, nobody_knows, heard.append)
    assert (there(folder), heard) == (WANTED, [])
    recover(folder.state, lambda *_: True, heard.append)
    assert there(folder) == {}


def test_a_removal_that_fails_leaves_no_half(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write(WANTED)
    own = folder.owned()

    def remove(path: Path) -> None:
        if path.name == KEY:
            raise ConfigUnusable("it cannot be deleted", hint="")
        path.unlink(missing_ok=True)

    monkeypatch.setattr(files, "remove", remove)
    with pytest.raises(ConfigUnusable):
        folder.remove_own(silent)
    assert (there(folder), folder.owned(), left(folder)) == (WANTED, own, [])


@pytest.mark.parametrize("entry", ["[]", "{}", '{"before": 1}', '{"before": {"ca.crt": "%"}}', "null"])
def test_a_damaged_record_is_named(folder: Folder, entry: str) -> None:
    folder.state.mkdir()
    (folder.state / "certificates-journal.json").write_text(f'{{"/certs.d/r": {entry}}}')
    with pytest.raises(ConfigUnusable, match=r"certificates-journal\.json is damaged"):
        interrupted(folder.state)
