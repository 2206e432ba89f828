"""The cache of manifests and configs: what comes out has its digest, it stays small, nothing fails."""

import hashlib
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devreg.host import content_cache
from devreg.host.cache_file import CacheFile, Change
from devreg.host.content_cache import ContentCache
from devreg.model.body import Body

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def body(content: bytes, digest: str | None = None) -> Body:
    return Body(content, MANIFEST, f"sha256:{hashlib.sha256(content).hexdigest()}" if digest is None else digest)


ONE, OTHER = body(b'{"one": 1}'), body(b'{"other": 2}')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "contents.sqlite"


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of the day, as its only element."""
    now = [20_000]
    monkeypatch.setattr("devreg.host.content_cache.time.time", lambda: now[0] * 86400.0)
    return now


def keep(folder: Path, *bodies: Body) -> None:
    with ContentCache(folder) as cache:
        for each in bodies:
            cache.put(each)


def known(folder: Path, *bodies: Body) -> list[bool]:
    with ContentCache(folder) as cache:
        return [cache.get(each.digest) == each for each in bodies]


def rows(file: Path) -> int:
    with sqlite3.connect(file) as raw:
        (count,) = raw.execute("SELECT COUNT(*) FROM bodies").fetchone()
    raw.close()
    return int(count)


def test_what_was_put_is_known_at_once_and_to_the_next(folder: Path) -> None:
    with ContentCache(folder) as cache:
        assert cache.get(ONE.digest) is None
        cache.put(ONE)
        assert cache.get(ONE.digest) == ONE
        assert cache.get(OTHER.digest) is None
    assert known(folder, ONE, OTHER) == [True, False]


def test_many_are_read_at_once_whether_written_yet_or_not(folder: Path, file: Path) -> None:
    old = [body(f'{{"old": {number}}}'.encode()) for number in range(450)]
    keep(folder, *old)
    with sqlite3.connect(file) as raw:
        raw.execute("UPDATE bodies SET content = X'00' WHERE digest = ?", (old[7].digest,))
    raw.close()
    with ContentCache(folder) as cache:
        cache.put(ONE)
        found = cache.get_all([each.digest for each in (*old, ONE, OTHER)])
    assert found == {each.digest: each for each in (*old, ONE) if each != old[7]}
    assert rows(file) == 450  # without the one that was changed, with the new one


def test_a_sha512_digest_is_as_good(folder: Path) -> None:
    long = body(b"long", f"sha512:{hashlib.sha512(b'long').hexdigest()}")
    keep(folder, long)
    assert known(folder, long) == [True]


def test_they_are_written_when_there_are_many_or_much(folder: Path, file: Path) -> None:
    with ContentCache(folder) as cache:
        for number in range(content_cache._TOGETHER + 1):
            cache.put(body(str(number).encode()))
        assert rows(file) == content_cache._TOGETHER
        for number in range(3):
            cache.put(body(bytes([number]) * (3 * 2**20)))
        assert rows(file) == content_cache._TOGETHER + 4


@pytest.mark.parametrize("digest", ["", "sha256:", "x:0", "md5:d41d8cd98f00b204e9800998ecf8427e", f"sha256:{'0' * 64}"])
def test_what_its_digest_does_not_prove_is_not_kept(folder: Path, digest: str) -> None:
    """The digest of a signed schema 1 manifest is that of a part of it; some registries tell none at all."""
    with ContentCache(folder) as cache:
        cache.put(body(b"signed", digest))
        assert cache.get(digest) is None


def test_a_body_that_is_too_large_is_not_kept(folder: Path) -> None:
    fits, large = body(b"x" * (4 * 2**20)), body(b"x" * (4 * 2**20 + 1))
    keep(folder, fits, large)
    assert known(folder, fits, large) == [True, False]


@pytest.mark.parametrize("change", ["content = X'7b7d'", "content = X''", "digest = ?"])
def test_wrong_bytes_under_a_right_digest_are_forgotten(folder: Path, file: Path, change: str) -> None:
    keep(folder, ONE)
    with sqlite3.connect(file) as raw:
        raw.execute(f"UPDATE bodies SET {change}", (OTHER.digest,) * change.count("?"))  # noqa: S608
    raw.close()
    wanted = OTHER if "?" in change else ONE
    with ContentCache(folder) as cache:
        assert cache.get(wanted.digest) is None
    assert rows(file) == 0


@pytest.mark.parametrize("change", ["content = 'text'", "content = NULL", "media_type = 5", "day = 'x'", "day = NULL"])
def test_a_row_that_nobody_wrote_is_not_handed_out(folder: Path, file: Path, change: str) -> None:
    keep(folder, ONE)
    with sqlite3.connect(file) as raw:
        raw.execute(f"UPDATE bodies SET {change}")  # noqa: S608
    raw.close()
    assert known(folder, ONE) == [False]
    keep(folder, ONE)
    assert known(folder, ONE) == [True]


def test_what_was_not_used_for_longest_goes_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch, day: list[int]
) -> None:
    monkeypatch.setattr(content_cache, "MAX_BYTES", 1000)
    bodies = [body(bytes([number]) * 300) for number in range(4)]
    keep(folder, *bodies[:3])
    day[0] += 1
    assert known(folder, bodies[0]) == [True]
    keep(folder, bodies[3])
    assert known(folder, *bodies) == [True, False, True, True]


def test_reading_writes_once_a_day(folder: Path, day: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    keep(folder, ONE)
    changes: list[Change] = []
    monkeypatch.setattr(CacheFile, "change", lambda _, *some: changes.extend(some))
    assert known(folder, ONE, OTHER) == [True, False]
    assert changes == []
    day[0] += 1
    assert known(folder, ONE, OTHER) == [True, False]
    assert [values for _, values in changes] == [(day[0], ONE.digest)]


def test_only_the_owner_may_read_it(folder: Path, file: Path) -> None:
    old = os.umask(0)
    try:
        keep(folder, ONE)
    finally:
        os.umask(old)
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_threads_share_it(folder: Path) -> None:
    with ContentCache(folder) as cache, ThreadPoolExecutor(8) as pool:

        def work(number: int) -> Body | None:
            each = body(str(number % 300).encode())
            cache.put(each)
            return cache.get(each.digest)

        assert all(pool.map(work, range(1000)))
    assert known(folder, *(body(str(number).encode()) for number in range(300))) == [True] * 300


WRITER = """
import hashlib, sys
from pathlib import Path
from devreg.host.content_cache import ContentCache
from devreg.model.body import Body
with ContentCache(Path(sys.argv[1])) as cache:
    print(flush=True)
    sys.stdin.read(1)
    for number in range(int(sys.argv[2]), int(sys.argv[2]) + 500):
        content = str(number).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        cache.put(Body(content, "x", digest))
        assert cache.get(digest)
        cache.get(digest[:-3] + "000")
"""


@pytest.mark.parametrize("before", [None, b"not a database" * 500], ids=["no file", "a damaged file"])
def test_many_devreg_use_it_at_once(folder: Path, file: Path, before: bytes | None) -> None:
    """Two of each kind keep the same bodies; none fails, and where nothing was damaged nothing is lost."""
    if before is not None:
        folder.mkdir()
        file.write_bytes(before)
    argv = [sys.executable, "-c", WRITER, str(folder)]
    pipe = subprocess.PIPE
    writers = [subprocess.Popen([*argv, str(start)], stdin=pipe, stdout=pipe) for start in (0, 0, 500, 500, 1000, 250)]
    for each in writers:
        assert each.stdout is not None
        each.stdout.readline()
    assert [each.communicate(b"x") and each.returncode for each in writers] == [0] * 6
    if before is None:
        assert rows(file) == 1500
    with sqlite3.connect(file) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()
