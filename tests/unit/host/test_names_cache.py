"""The cache of names: a list replaces the one before; it stays small and forgets what is old; nothing fails."""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from devreg.host import cache_file, names_cache
from devreg.host.names_cache import NamesCache
from devreg.model.address import Address

HERE, THERE = Address("registry.example", 5000), Address("other.example")
DIGEST = f"sha256:{'d' * 64}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "names.sqlite"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds, as its only element."""
    now = [1_700_000_000.0]
    monkeypatch.setattr("devreg.host.names_cache.time.time", lambda: now[0])
    return now


def teach(folder: Path) -> None:
    with NamesCache(folder) as cache:
        cache.learn_images(["app:1", "base:2"])
        cache.learn_repositories(HERE, ["zoo", "team/app"])
        cache.learn_tags(HERE, "team/app", {"2": DIGEST, "1": None})


def knows_all(folder: Path) -> bool:
    with NamesCache(folder) as cache:
        known = (
            cache.images() == ("app:1", "base:2"),
            cache.repositories(HERE) == ("zoo", "team/app"),
            list(cache.tags(HERE, "team/app").items()) == [("2", DIGEST), ("1", None)],
            cache.registries() == (str(HERE),),
        )
    assert all(known) or not any(known)
    return all(known)


def test_what_was_learned_is_known_to_the_next_in_its_order(folder: Path) -> None:
    assert not knows_all(folder)
    teach(folder)
    assert knows_all(folder)


def test_names_are_found_by_how_they_begin(folder: Path) -> None:
    teach(folder)
    with NamesCache(folder) as cache:
        assert cache.images("ba") == ("base:2",)
        assert cache.repositories(HERE, "team/a") == ("team/app",)
        assert cache.repositories(HERE, "T%_*") == ()
        assert cache.tags(HERE, "team/app", "2") == {"2": DIGEST}


def test_a_list_replaces_the_one_before_and_no_other(folder: Path) -> None:
    teach(folder)
    with NamesCache(folder) as cache:
        cache.learn_tags(HERE, "team/app", {"1": DIGEST})
        cache.learn_repositories(THERE, ["zoo"])
        cache.learn_tags(THERE, "zoo", {"9": None})
        cache.learn_images([])
        assert cache.tags(HERE, "team/app") == {"1": DIGEST}
        assert cache.repositories(HERE) == ("zoo", "team/app")
        assert sorted(cache.registries()) == [str(THERE), str(HERE)]
        assert cache.images() == ()


@pytest.mark.parametrize("name", ["\x1b[31mred", "two\nlines", "\udc80", "x" * 513])
def test_what_can_be_no_name_is_left_out(folder: Path, name: str) -> None:
    with NamesCache(folder) as cache:
        cache.learn_repositories(HERE, ["app", name])
        assert cache.repositories(HERE) == ("app",)


def test_a_digest_that_is_none_is_left_out(folder: Path) -> None:
    with NamesCache(folder) as cache:
        cache.learn_tags(HERE, "app", {"1": "sha256:x", "2": DIGEST})
        assert cache.tags(HERE, "app") == {"1": None, "2": DIGEST}


def test_of_a_word_that_is_no_text_nothing_is_known(folder: Path) -> None:
    """A shell hands on whatever bytes were typed."""
    teach(folder)
    with NamesCache(folder) as cache:
        assert cache.tags(HERE, "\udc80") == {}
        cache.learn_tags(HERE, "\udc80", {"1": None})
        assert cache.images() == ("app:1", "base:2")
    assert knows_all(folder)


def test_after_a_quarter_of_a_year_it_is_forgotten(folder: Path, file: Path, clock: list[float]) -> None:
    teach(folder)
    clock[0] += 89 * 86400
    assert knows_all(folder)
    clock[0] += 2 * 86400
    assert not knows_all(folder)
    with NamesCache(folder) as cache:
        cache.learn_images(["new:1"])
    with sqlite3.connect(file) as raw:
        assert raw.execute("SELECT name FROM names").fetchall() == [("new:1",)]
    raw.close()


def test_the_oldest_of_too_many_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names_cache, "_NAMES", 5)
    with NamesCache(folder) as cache:
        cache.learn_repositories(HERE, ["a", "b", "c"])
        cache.learn_repositories(THERE, ["d", "e", "f"])
        assert cache.repositories(THERE) == ("d", "e", "f")
        assert len(cache.repositories(HERE)) == 2


def test_only_the_owner_may_read_it(folder: Path, file: Path) -> None:
    old = os.umask(0)
    try:
        teach(folder)
    finally:
        os.umask(old)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["name = X'00'", "name = NULL", "digest = 'x'", "name = CAST(X'73ff' AS TEXT)"])
def test_a_row_that_nobody_wrote_is_not_handed_out(folder: Path, file: Path, damage: str) -> None:
    teach(folder)
    with sqlite3.connect(file) as raw:
        raw.execute(f"UPDATE names SET {damage} WHERE name = '1'")  # noqa: S608
    raw.close()
    with NamesCache(folder) as cache:
        assert cache.tags(HERE, "team/app") == {}
    teach(folder)
    assert knows_all(folder)


def test_one_that_is_locked_is_given_up_before_it_is_free(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has pressed TAB: the other caches have more patience."""
    teach(folder)
    monkeypatch.setattr(cache_file, "_BUSY_SECONDS", 60)
    with sqlite3.connect(file, isolation_level=None, check_same_thread=False) as raw, NamesCache(folder) as cache:
        raw.execute("BEGIN EXCLUSIVE")
        free = threading.Timer(2.0, raw.execute, ["ROLLBACK"])
        free.start()
        assert cache.images() == cache.repositories(HERE) == ()
        free.cancel()
        free.join()
    raw.close()
    assert knows_all(folder)


WRITER = """
import sys
from pathlib import Path
from devreg.host.names_cache import NamesCache
from devreg.model.address import Address
names = [f"{sys.argv[2]}{number}" for number in range(100)]
with NamesCache(Path(sys.argv[1])) as cache:
    print(flush=True)
    sys.stdin.read(1)
    for _ in range(20):
        cache.learn_images(names)
        assert len({name[0] for name in cache.images()}) <= 1
        assert len(cache.images()) in (0, 100)
"""


def test_many_devreg_use_it_at_once(folder: Path) -> None:
    """A list is one of theirs, and whole."""
    pipe = subprocess.PIPE
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, folder, each], stdin=pipe, stdout=pipe) for each in "abcdef"
    ]
    for each in writers:
        assert each.stdout is not None
        each.stdout.readline()
    assert [each.communicate(b"x") and each.returncode for each in writers] == [0] * 6
    with NamesCache(folder) as cache:
        assert len(cache.images()) == 100
        assert len({name[0] for name in cache.images()}) == 1
