"""What is compressed, read as what it was."""

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable

import pytest

from devreg.archives import inflate
from devreg.archives.forward import Forward
from devreg.archives.inflate import LONGEST_MAGIC, decompressed, method, peeked
from devreg.archives.one_pass import one_pass
from devreg.model.errors import ArchiveUnusable
from tests.unit.archives import hostile
from tests.unit.archives.test_forward import Trickle
from tests.unit.direct.built import EMPTY_TAR, noise, tarred

Compress = Callable[[bytes], bytes]
WAYS: dict[str, Compress] = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}
LAYER = tarred({"file": noise("file", 300_000)})
ways = pytest.mark.parametrize(("how", "compress"), WAYS.items())


def unpacked(content: bytes, how: str) -> bytes:
    stream = Forward(decompressed(io.BytesIO(content), how, "it"))
    return b"".join(iter(lambda: stream.read(2**20), b""))


@ways
def test_the_method_shows_in_the_first_bytes(how: str, compress: Compress) -> None:
    assert method(compress(b"")[:LONGEST_MAGIC]) == how


@pytest.mark.parametrize(("head", "how"), [(b"(\xb5/\xfd", "zstd"), (LAYER, None), (b"", None), (EMPTY_TAR, None)])
def test_what_is_zstd_and_what_is_not_compressed(head: bytes, how: str | None) -> None:
    assert method(head[:LONGEST_MAGIC]) == how


@ways
def test_what_was_compressed_comes_out(how: str, compress: Compress) -> None:
    assert unpacked(compress(LAYER), how) == LAYER
    assert unpacked(compress(b""), how) == b""


@ways
def test_streams_one_after_the_other_are_one(how: str, compress: Compress) -> None:
    assert unpacked(compress(LAYER) + compress(b"more") + compress(b""), how) == LAYER + b"more"


@pytest.mark.parametrize("how", ["gzip", "xz"])
def test_zeros_after_the_end_are_padding(how: str) -> None:
    assert unpacked(WAYS[how](LAYER) + bytes(20_000), how) == LAYER


def test_xz_goes_on_after_padding() -> None:
    assert unpacked(lzma.compress(LAYER) + bytes(20_000) + lzma.compress(b"more"), "xz") == LAYER + b"more"


@ways
@pytest.mark.parametrize("left", [1, 7, 9, 100, 100_000, 299_990])
def test_what_ends_early_is_refused(how: str, compress: Compress, left: int) -> None:
    with pytest.raises(ArchiveUnusable, match="it ends early, or its compression is damaged"):
        unpacked(compress(LAYER)[:-left], how)


@ways
@pytest.mark.parametrize("place", [-3, -6, 20, 150_000])
def test_what_is_damaged_is_refused(how: str, compress: Compress, place: int) -> None:
    content = bytearray(compress(LAYER))
    content[place] ^= 0xFF
    with pytest.raises(ArchiveUnusable, match="it ends early, or its compression is damaged"):
        unpacked(bytes(content), how)


def test_zstd_is_refused_with_a_way_out() -> None:
    with pytest.raises(ArchiveUnusable, match="zstd -d"):
        decompressed(io.BytesIO(), "zstd", "it")


def test_xz_does_not_get_all_the_memory_it_asks_for() -> None:
    assert unpacked(lzma.compress(LAYER, preset=9), "xz") == LAYER
    asking = bytearray(
        lzma.compress(b"x", check=lzma.CHECK_NONE, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 4096}])
    )
    asking[16] = 40  # the dictionary of the first block: 4 GiB
    asking[20:24] = zlib.crc32(asking[12:20]).to_bytes(4, "little")
    with pytest.raises(ArchiveUnusable, match="Memory usage limit"):
        unpacked(bytes(asking), "xz")


def test_without_isa_l_python_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal.igzip", None)
    assert unpacked(gzip.compress(LAYER), "gzip") == LAYER


@ways
def test_a_bomb_is_refused(how: str, compress: Compress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "_FREE_BYTES", 2**20)
    with pytest.raises(ArchiveUnusable, match="it grows more than 200-fold"):
        unpacked(compress(bytes(2**25)), how)


@ways
def test_what_grows_a_little_is_none(how: str, compress: Compress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "_FREE_BYTES", 2**20)
    assert len(unpacked(compress(bytes(2**20)), how)) == 2**20
    much = b"".join(noise(str(number)) + bytes(500_000) for number in range(8))
    assert unpacked(compress(much), how) == much


def test_a_bomb_of_gigabytes_is_refused_without_its_weight() -> None:
    """10 GiB of zeros in 10 MB, of which the first gigabyte is looked at."""
    import tracemalloc

    part = gzip.compress(bytes(2**26))
    stream = io.BytesIO(hostile.header("layer.tar", size=10 * 2**30))
    content = gzip.compress(stream.getvalue()) + part * 160
    tracemalloc.start()
    try:
        inner = decompressed(io.BytesIO(content), "gzip", "it")
        with pytest.raises(ArchiveUnusable, match="it grows more than 200-fold"):
            one_pass(inner, lambda member, _: sum(map(len, member.blocks)), "it")
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


class TestPeeked:
    @pytest.mark.parametrize("content", [b"", b"abc", LAYER])
    def test_nothing_is_lost(self, content: bytes) -> None:
        head, pipe = peeked(io.BytesIO(content), "it")
        assert head == content[:LONGEST_MAGIC]
        assert Forward(pipe).read(len(content) + 1) == content

    def test_a_pipe_that_trickles_is_waited_for(self) -> None:
        class Pipe(io.RawIOBase):
            trickle = Trickle(gzip.compress(LAYER), 1)

            def readable(self) -> bool:
                return True

            def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
                return self.trickle.readinto(buffer)

        head, pipe = peeked(io.BufferedReader(Pipe()), "it")
        assert method(head) == "gzip"
        assert Forward(decompressed(pipe, "gzip", "it")).read(len(LAYER)) == LAYER

    def test_a_pipe_that_cannot_be_read_is_named(self) -> None:
        class Folder(io.RawIOBase):
            def readable(self) -> bool:
                return True

            def readinto(self, _buffer: object) -> int:
                raise IsADirectoryError(21, "Is a directory")

        pipe = io.BufferedReader(Folder())
        with pytest.raises(ArchiveUnusable, match="it cannot be read: Is a directory"):
            peeked(pipe, "it")
