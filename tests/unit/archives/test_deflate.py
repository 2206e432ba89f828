"""gzip made in parallel: the same bytes whatever the cut, the pool and the run."""

import gzip
import hashlib
import itertools
import platform
import zlib
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from threading import Event

import pytest

from devreg.archives import deflate
from devreg.archives.deflate import BLOCK, compressor_name, gzipped, in_blocks

LIBRARIES = [("isal.isal_zlib", 1), ("zlib_ng.zlib_ng", 2), ("zlib", 1)]


def mixed(size: int) -> bytes:
    """Bytes that repeat now and then, near and far, with stretches of zeros and of noise among them."""
    words = [hashlib.sha256(b"%d" % number).digest()[: 2 + number % 23] for number in range(700)]
    made, state = bytearray(), 4
    while len(made) < size:
        state = (state * 1103515245 + 12345) % 2**31
        made += words[state >> 11 & 511 if state >> 24 & 3 else state >> 9 & 63]
        if not state >> 4 & 4095:
            made += bytes(5000)
        if not state >> 5 & 4095:
            made += b"".join(hashlib.sha512(b"%d" % number).digest() for number in range(state % 300))
    return bytes(made[:size])


INPUT = mixed(3 * BLOCK + 12_345)


def cut(content: bytes, seed: int) -> Iterator[bytes | memoryview]:
    """The content in pieces of many sizes."""
    sizes, at = (0, 1, 100, 65_536, BLOCK, 2 * BLOCK + 1), 0
    for choice in itertools.cycle(hashlib.sha256(b"%d" % seed).digest()):
        if at >= len(content):
            return
        piece = content[at : at + sizes[choice % len(sizes)]]
        yield memoryview(piece) if choice & 64 else piece
        at += len(piece)


def whole(content: bytes, pool: Executor | None = None) -> bytes:
    return b"".join(gzipped([content], pool))


@pytest.fixture(params=LIBRARIES, ids=lambda library: library[0])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each of the libraries, as if it were the fastest that is there."""
    monkeypatch.setattr(deflate, "_KNOWN", (("no.such_library", 9), request.param))
    for cached in (deflate._compressor, compressor_name):
        cached.cache_clear()
    yield request.param[0].partition(".")[0]
    for cached in (deflate._compressor, compressor_name):
        cached.cache_clear()


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, len(INPUT)])
def test_what_went_in_comes_out(library: str, size: int) -> None:
    assert gzip.decompress(whole(INPUT[:size])) == INPUT[:size]
    assert compressor_name().startswith(f"{library} ")


def test_it_is_one_gzip_member_without_name_and_time() -> None:
    made = whole(INPUT)
    assert made[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(made) == INPUT
    assert reader.eof
    assert not reader.unused_data
    assert int.from_bytes(made[-4:], "little") == len(INPUT)
    assert int.from_bytes(made[-8:-4], "little") == zlib.crc32(INPUT)


@pytest.mark.usefixtures("library")
def test_it_is_worth_it() -> None:
    assert len(whole(INPUT)) < len(INPUT) * 0.75


@pytest.mark.parametrize("seed", range(4))
def test_the_cut_of_the_input_does_not_matter(seed: int) -> None:
    assert b"".join(gzipped(cut(INPUT, seed))) == whole(INPUT)


def test_the_pool_does_not_matter() -> None:
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(7) as many:
        assert whole(INPUT, one) == whole(INPUT, many) == whole(INPUT)


def test_a_block_refers_to_the_one_before_it() -> None:
    noise = hashlib.shake_128(b"noise").digest(20_000)
    ends_with_noise = bytes(BLOCK - len(noise)) + noise
    assert len(whole(ends_with_noise + noise)) < len(whole(ends_with_noise)) + 2_000


# What ISA-L makes of INPUT; measured on both, on x86-64 alike with SSE4.2, AVX and AVX2.
PINNED = {
    "x86_64": "27ed031a07572abc0a665fa4f7b4a04864c09dfde0c1c709ac9f51756942fe98",
    "aarch64": "29f87d99f8a15823c8f8eb6f627c11f2568c00e139cbbc71300ceb3773b8d02d",
}
PINNED |= {"AMD64": PINNED["x86_64"], "arm64": PINNED["aarch64"]}


def test_the_bytes_are_those_of_earlier_versions() -> None:
    """A layer that was pushed must get the digest that it had. Where this fails the library makes other bytes than it
    did: every layer will be pushed once more by those who update."""
    assert hashlib.sha256(INPUT).hexdigest().startswith("78c46d833b2338b7")
    assert hashlib.sha256(whole(INPUT)).hexdigest() == PINNED[platform.machine()]


@pytest.mark.usefixtures("library")
def test_the_name_is_that_of_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    name = compressor_name()
    assert name == compressor_name()
    assert str(BLOCK) in name
    compressor_name.cache_clear()
    monkeypatch.setattr(deflate, "_DICTIONARY", 1000)
    other = compressor_name()
    assert other != name
    assert other.rpartition(" ")[0] == name.rpartition(" ")[0]


def test_only_a_few_blocks_are_in_the_making() -> None:
    taken = 0

    def long() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(40):
            taken += 1
            yield bytes(BLOCK)

    made = gzipped(long())
    for given in range(30):
        next(made)
        assert taken <= given + 6


def test_what_nobody_will_read_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> Iterator[bytes]:
        yield bytes(2 * BLOCK)
        raise OSError("the engine is gone")

    made: list[object] = []
    monkeypatch.setattr(deflate, "_deflated", lambda *of: made.append(of))
    free = Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(free.wait)
        with pytest.raises(OSError, match="the engine is gone"):
            list(gzipped(failing(), pool))
        free.set()
    assert made == []


def test_blocks_are_not_copied_when_they_fit() -> None:
    large = bytes(2 * BLOCK + 5)
    blocks = list(in_blocks([large]))
    assert [len(block) for block in blocks] == [BLOCK, BLOCK, 5]
    assert all(isinstance(block, memoryview) and block.obj is large for block in blocks)


def test_small_pieces_are_joined() -> None:
    pieces = [INPUT[at : at + 70_000] for at in range(0, len(INPUT), 70_000)]
    blocks = list(in_blocks(pieces))
    assert [len(block) for block in blocks] == [BLOCK] * 3 + [12_345]
    assert b"".join(blocks) == INPUT
