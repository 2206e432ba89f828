"""The cache of pushes: what was learned comes back, newest first; whatever state the file is in, nothing fails."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devreg.host import cache_file, push_cache
from devreg.host.push_cache import PushCache
from devreg.model.address import Address
from devreg.model.manifest import Descriptor

HERE, THERE = Address("registry.example", 5000), Address("other.example")
GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DIFF, IMAGE = f"sha256:{'d' * 64}", f"sha256:{'1' * 64}"
URL = "http://registry.example:5000/v2/app/blobs/uploads/1?_state=secret"


def blob(number: int) -> Descriptor:
    return Descriptor(GZIP, f"sha256:{number:064x}", 1000 + number)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "pushes.sqlite"


@pytest.fixture
def cache(folder: Path) -> Iterator[PushCache]:
    with PushCache(folder) as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds, as its only element."""
    now = [1_700_000_000.0]
    monkeypatch.setattr("devreg.host.push_cache.time.time", lambda: now[0])
    return now


def teach(cache: PushCache) -> None:
    cache.learn(HERE, "app", [(DIFF, blob(1)), (None, blob(2))])
    cache.keep_upload(HERE, "app", "key", URL)
    cache.learn_manifest(HERE, "app", IMAGE, blob(3).digest)


def knows_all(cache: PushCache) -> bool:
    known = (
        cache.blobs(DIFF) == (blob(1),),
        cache.repositories(HERE, blob(2).digest) == ("app",),
        cache.open_upload(HERE, "app", "key") == URL,
        cache.manifest(HERE, "app", IMAGE) == blob(3).digest,
    )
    assert all(known) or not any(known)
    return all(known)


def test_a_new_cache_knows_nothing(cache: PushCache) -> None:
    assert not knows_all(cache)


def test_what_was_learned_is_known_to_the_next(cache: PushCache, folder: Path) -> None:
    teach(cache)
    assert knows_all(cache)
    cache.close()
    with PushCache(folder) as another:
        assert knows_all(another)


def test_by_default_it_lies_in_the_users_cache_folder(home: Path) -> None:
    with PushCache() as cache:
        teach(cache)
    assert (home / "cache/devreg/pushes.sqlite").exists()


def test_the_blobs_of_a_layer_come_newest_first(cache: PushCache) -> None:
    for number in (1, 2, 3, 1):
        cache.learn(HERE, "app", [(DIFF, blob(number))])
    assert cache.blobs(DIFF) == (blob(1), blob(3), blob(2))
    assert cache.blobs(blob(1).digest) == ()


def test_the_five_newest_repositories_of_that_registry_are_told(cache: PushCache) -> None:
    for name in "abcdefa":
        cache.learn(HERE, name, [(None, blob(1))])
    cache.learn(THERE, "elsewhere", [(None, blob(1))])
    assert cache.repositories(HERE, blob(1).digest) == ("a", "f", "e", "d", "c")
    assert cache.repositories(THERE, blob(1).digest) == ("elsewhere",)
    assert cache.repositories(HERE, blob(2).digest) == ()


def test_what_is_forgotten_is_forgotten_in_that_repository_only(cache: PushCache) -> None:
    for name in ("app", "base"):
        cache.learn(HERE, name, [(DIFF, blob(1)), (None, blob(2))])
    cache.forget(HERE, "app", blob(1).digest)
    assert cache.repositories(HERE, blob(1).digest) == ("base",)
    assert cache.repositories(HERE, blob(2).digest) == ("base", "app")
    assert cache.blobs(DIFF) == (blob(1),)


def test_an_upload_is_known_until_it_ends(cache: PushCache) -> None:
    cache.keep_upload(HERE, "app", "key", "http://old")
    cache.keep_upload(HERE, "app", "key", URL)
    cache.keep_upload(HERE, "base", "key", "http://base")
    assert cache.open_upload(HERE, "app", "key") == URL
    assert cache.open_upload(HERE, "app", "another") is None
    assert cache.open_upload(THERE, "app", "key") is None
    cache.end_upload(HERE, "app", "key")
    assert cache.open_upload(HERE, "app", "key") is None
    assert cache.open_upload(HERE, "base", "key") == "http://base"


def test_an_upload_is_known_for_a_week(cache: PushCache, file: Path, clock: list[float]) -> None:
    cache.keep_upload(HERE, "app", "key", URL)
    clock[0] += 6.9 * 86400
    assert cache.open_upload(HERE, "app", "key") == URL
    clock[0] += 0.2 * 86400
    assert cache.open_upload(HERE, "app", "key") is None
    assert rows(file, "uploads") == 1
    cache.learn(HERE, "app", [])
    assert rows(file, "uploads") == 0


def test_an_image_has_one_manifest_in_a_repository(cache: PushCache) -> None:
    cache.learn_manifest(HERE, "app", IMAGE, blob(1).digest)
    cache.learn_manifest(HERE, "app", IMAGE, blob(2).digest)
    assert cache.manifest(HERE, "app", IMAGE) == blob(2).digest
    assert cache.manifest(HERE, "base", IMAGE) is None


def test_what_is_half_a_year_old_is_dropped(cache: PushCache, file: Path, clock: list[float]) -> None:
    teach(cache)
    clock[0] += 200 * 86400
    cache.learn(HERE, "new", [(blob(9).digest, blob(9))])
    assert not knows_all(cache)
    assert cache.repositories(HERE, blob(9).digest) == ("new",)
    assert [rows(file, table) for table in ("blobs", "places", "manifests")] == [1, 1, 0]


def test_the_oldest_of_too_many_are_dropped(cache: PushCache, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_cache, "_ROWS", 10)
    for start in range(0, 30, 3):
        cache.learn(HERE, "app", [(blob(number).digest, blob(number)) for number in range(start, start + 3)])
    assert rows(file, "places") == rows(file, "blobs") == 10
    assert cache.blobs(blob(20).digest) == (blob(20),)
    assert cache.blobs(blob(19).digest) == ()


def test_only_the_owner_may_read_it(cache: PushCache, folder: Path, file: Path) -> None:
    old = os.umask(0)
    try:
        teach(cache)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert file.stat().st_mode & 0o777 == 0o600
        cache.close()
        file.chmod(0o644)
        with PushCache(folder) as again:
            assert knows_all(again)
    finally:
        os.umask(old)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\0" * 5000, b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_file_that_is_no_database_is_made_anew(folder: Path, file: Path, content: bytes) -> None:
    folder.mkdir()
    file.write_bytes(content)
    with PushCache(folder) as cache:
        assert not knows_all(cache)
        teach(cache)
        assert knows_all(cache)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a file that knows all."""
    folder = tmp_path_factory.mktemp("good")
    with PushCache(folder) as cache:
        teach(cache)
    return (folder / "pushes.sqlite").read_bytes()


@settings(max_examples=100)
@given(st.data())
def test_a_file_that_is_damaged_anywhere_fails_nothing(
    tmp_path_factory: pytest.TempPathFactory, good: bytes, data: st.DataObject
) -> None:
    used = [place for place in range(len(good)) if good[place]]
    bad = bytearray(good)
    for place, bits in data.draw(st.dictionaries(st.sampled_from(used), st.integers(1, 255), max_size=50)).items():
        bad[place] ^= bits
    folder = tmp_path_factory.getbasetemp() / "damaged"
    folder.mkdir(exist_ok=True)
    (folder / "pushes.sqlite").write_bytes(bad[: data.draw(st.integers(0, len(bad)))])
    with PushCache(folder) as cache:
        assert all(isinstance(each, Descriptor) for each in cache.blobs(DIFF))
        cache.repositories(HERE, blob(2).digest)
        cache.open_upload(HERE, "app", "key")
        cache.manifest(HERE, "app", IMAGE)
        teach(cache)
        cache.forget(HERE, "app", blob(1).digest)
        cache.end_upload(HERE, "app", "key")


@pytest.mark.parametrize(
    "damage", ["digest = CAST(X'73ff' AS TEXT)", "digest = 'sha256:x'", "size = 'many'", "size = NULL"]
)
def test_a_row_that_nobody_wrote_is_not_handed_out(cache: PushCache, file: Path, damage: str) -> None:
    teach(cache)
    with sqlite3.connect(file) as raw:
        raw.execute(f"UPDATE blobs SET {damage}")  # noqa: S608
    raw.close()
    assert cache.blobs(DIFF) == ()
    teach(cache)
    assert knows_all(cache)


def test_other_tables_than_ours_are_replaced_where_python_tells(cache: PushCache, folder: Path, file: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(file) as raw:
        raw.executescript("CREATE TABLE blobs (other TEXT); PRAGMA user_version = 1;")
    raw.close()
    teach(cache)
    assert knows_all(cache) == (sys.version_info >= (3, 11))


def test_a_file_of_a_newer_devreg_is_left_alone(folder: Path, file: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(file) as raw:
        raw.executescript("CREATE TABLE blobs (other TEXT); PRAGMA user_version = 2;")
    raw.close()
    before = file.read_bytes()
    with PushCache(folder) as cache:
        teach(cache)
        assert not knows_all(cache)
    assert file.read_bytes() == before


def in_a_file(folder: Path) -> None:
    folder.write_bytes(b"")


def a_folder(folder: Path) -> None:
    (folder / "pushes.sqlite").mkdir(parents=True)


def nowhere(folder: Path) -> None:
    folder.symlink_to("/proc/nothing")


def full(folder: Path) -> None:
    folder.mkdir()
    (folder / "pushes.sqlite").symlink_to("/dev/full")


@pytest.mark.parametrize("spoil", [in_a_file, a_folder, nowhere, full])
def test_where_no_file_can_be_nothing_is_known(folder: Path, spoil: Callable[[Path], None]) -> None:
    spoil(folder)
    with PushCache(folder) as cache:
        teach(cache)
        assert not knows_all(cache)


def test_without_a_home_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: "~/.cache/devreg")
    with PushCache() as cache:
        teach(cache)
        assert not knows_all(cache)
    assert list(tmp_path.iterdir()) == []


def test_without_sqlite_nothing_is_known(cache: PushCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    teach(cache)
    assert not knows_all(cache)


def test_one_that_is_locked_is_waited_for_once(
    folder: Path, file: Path, cache: PushCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    teach(cache)
    monkeypatch.setattr(cache_file, "_BUSY_SECONDS", 0.05)
    with sqlite3.connect(file, isolation_level=None) as raw, PushCache(folder) as other:
        raw.execute("BEGIN EXCLUSIVE")
        teach(other)
        raw.execute("COMMIT")
        assert not knows_all(other)
    raw.close()
    assert knows_all(cache)


def test_once_closed_it_knows_nothing(cache: PushCache) -> None:
    teach(cache)
    cache.close()
    teach(cache)
    assert not knows_all(cache)


def test_the_threads_of_a_push_share_it(cache: PushCache) -> None:
    def work(number: int) -> tuple[Descriptor, ...]:
        cache.keep_upload(HERE, "app", str(number), URL)
        cache.learn(HERE, "app", [(blob(number).digest, blob(number))])
        cache.end_upload(HERE, "app", str(number))
        return cache.blobs(blob(number).digest)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(100))) == [(blob(number),) for number in range(100)]


WRITER = """
import sys
from pathlib import Path
from devreg.host.push_cache import PushCache
from devreg.model.address import Address
from devreg.model.manifest import Descriptor
name, count = sys.argv[2], int(sys.argv[3])
with PushCache(Path(sys.argv[1])) as cache:
    print(flush=True)
    sys.stdin.read(1)
    for number in range(count):
        blob = Descriptor("x", f"sha256:{number:064x}", 1)
        cache.learn(Address("registry.example", 5000), name, [(blob.digest, blob)] * 2)
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", WRITER, str(folder), name, str(count)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_several_devreg_use_it_at_once(folder: Path, cache: PushCache) -> None:
    """They make the file at the same moment, and no change of any of them is lost."""
    writers = [writer(folder, name, 50) for name in "abcd"]
    for each in writers:
        assert each.stdout is not None
        each.stdout.readline()
    codes = [each.communicate(b"x") and each.returncode for each in writers]
    assert codes == [0] * 4
    for number in range(50):
        assert sorted(cache.repositories(HERE, blob(number).digest)) == list("abcd")


def test_two_that_make_the_file_at_once_make_one(folder: Path, file: Path) -> None:
    folder.mkdir()
    with sqlite3.connect(file, isolation_level=None) as raw, PushCache(folder) as one, PushCache(folder) as other:
        raw.execute("BEGIN IMMEDIATE")  # they find an empty file, and wait to fill it
        threads = [threading.Thread(target=teach, args=(each,)) for each in (one, other)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        inode = file.stat().st_ino
        raw.execute("COMMIT")
        for thread in threads:
            thread.join()
        assert knows_all(one)
        assert knows_all(other)
        assert file.stat().st_ino == inode
    raw.close()


def test_one_that_is_killed_leaves_whole_changes(folder: Path, file: Path) -> None:
    for seconds in (0.01, 0.03, 0.05):
        killed = writer(folder, "app", 10**6)
        assert killed.stdout is not None
        killed.stdout.readline()
        threading.Timer(seconds, killed.send_signal, [signal.SIGKILL]).start()
        killed.communicate(b"x")
        with PushCache(folder) as cache:
            teach(cache)
            assert knows_all(cache)
        with sqlite3.connect(file) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        raw.close()


def test_it_is_not_opened_before_it_is_used(cache: PushCache, folder: Path) -> None:
    del cache
    assert not folder.exists()


def rows(file: Path, table: str) -> int:
    with sqlite3.connect(file) as raw:
        count = raw.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
    raw.close()
    return int(count)
