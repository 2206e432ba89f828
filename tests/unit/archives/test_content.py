"""What uploads read: from any offset, again and again, and what cannot be had again."""

import gzip
import hashlib
import io
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from devreg.archives.content import Deflated, Stored
from devreg.archives.deflate import BLOCK, gzipped
from devreg.model.content import Content, Spent
from devreg.model.errors import ArchiveUnusable

INPUT = hashlib.shake_128(b"noise").digest(4 * BLOCK + 99)
BLOB = b"".join(gzipped([INPUT]))


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blocks(content: bytes = INPUT, size: int = 65_536) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def read(content: Content, offset: int = 0) -> bytes:
    return b"".join(content.read(offset))


def leave(content: Content, offset: int, after: int) -> None:
    """Read `after` bytes or a bit more, then no further."""
    reading, had = content.read(offset), 0
    while had < after:
        had += len(next(reading))


class TestStored:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / "blob"
        file.write_bytes(BLOB)
        return file

    @pytest.fixture
    def stored(self, file: Path) -> Stored:
        return Stored(lambda: file.open("rb"), sha256(BLOB), len(BLOB), "blobs/blob")

    @pytest.mark.parametrize("offset", [0, 1, 2**19, len(BLOB) - 1, len(BLOB)])
    def test_from_any_offset_any_number_of_times(self, stored: Stored, offset: int) -> None:
        assert read(stored, offset) == BLOB[offset:]
        leave(stored, 0, 1000)
        assert read(stored, offset) == BLOB[offset:]

    def test_pieces_are_bounded(self, stored: Stored) -> None:
        assert max(map(len, stored.read(0))) == 2**19

    def test_what_is_known_is_known_from_the_start(self, stored: Stored) -> None:
        content: Content = stored
        assert (content.digest, content.size) == (sha256(BLOB), len(BLOB))

    def test_a_file_that_ends_early_is_named(self, file: Path, stored: Stored) -> None:
        file.write_bytes(BLOB[:-10])
        reading = stored.read(0)
        with pytest.raises(ArchiveUnusable, match="blobs/blob ends 10 bytes early"):
            list(reading)

    def test_a_file_that_ends_before_the_offset_is_named(self, file: Path, stored: Stored) -> None:
        file.write_bytes(b"")
        with pytest.raises(ArchiveUnusable, match="blobs/blob ends 5 bytes early"):
            read(stored, len(BLOB) - 5)

    def test_a_file_that_goes_on_is_read_as_far_as_it_should(self, file: Path, stored: Stored) -> None:
        file.write_bytes(BLOB + b"more")
        assert read(stored) == BLOB

    def test_a_file_that_is_gone_is_named(self, file: Path, stored: Stored) -> None:
        file.unlink()
        with pytest.raises(ArchiveUnusable, match="blobs/blob cannot be read: No such file"):
            read(stored)

    def test_a_reader_left_in_the_middle_is_closed(self) -> None:
        opened: list[io.BytesIO] = []

        def opener() -> io.BytesIO:
            opened.append(io.BytesIO(BLOB))
            return opened[-1]

        reading = Stored(opener, sha256(BLOB), len(BLOB), "blob").read(0)
        next(reading)
        del reading
        assert [each.closed for each in opened] == [True]


class TestDeflated:
    def test_what_is_known_is_known_at_the_end(self) -> None:
        layer = Deflated(blocks())
        leave(layer, 0, 1)
        assert (layer.digest, layer.size, layer.diff_id) == (None, None, None)
        assert gzip.decompress(read(layer)) == INPUT
        assert (layer.digest, layer.size, layer.diff_id) == (sha256(BLOB), len(BLOB), sha256(INPUT))

    def test_an_empty_layer(self) -> None:
        layer = Deflated(iter(()))
        assert gzip.decompress(read(layer)) == b""
        assert layer.diff_id == sha256(b"")

    @pytest.mark.parametrize("after", [1, BLOCK, 3 * BLOCK, len(BLOB)])
    @pytest.mark.parametrize("back", [0, 1, 1000, BLOCK])
    def test_it_goes_on_where_a_reader_left_it(self, after: int, back: int) -> None:
        layer = Deflated(blocks())
        leave(layer, 0, after)
        offset = max(after - back, 0)
        assert read(layer, offset) == BLOB[offset:]
        assert layer.digest == sha256(BLOB)
        assert read(layer, len(BLOB) - 3) == BLOB[-3:]

    def test_what_has_left_the_window_is_spent(self) -> None:
        layer = Deflated(blocks(), window=BLOCK)
        leave(layer, 0, 3 * BLOCK)
        with pytest.raises(Spent):
            layer.read(0)
        assert read(layer, 2 * BLOCK + 5000) == BLOB[2 * BLOCK + 5000 :]

    def test_the_window_is_kept_to_the_byte(self) -> None:
        layer = Deflated(blocks(), window=BLOCK)
        read(layer)
        start = len(BLOB) - BLOCK
        assert read(layer, start) == BLOB[start:]

    def test_the_window_does_not_grow(self) -> None:
        layer = Deflated(blocks(), window=BLOCK)
        read(layer)
        assert layer._window.end - layer._window.start < 2.1 * BLOCK

    def test_beyond_the_window_it_starts_again(self) -> None:
        times = 0

        def again() -> Iterator[bytes]:
            nonlocal times
            times += 1
            return blocks(size=BLOCK)

        layer = Deflated(blocks(), again, window=BLOCK)
        leave(layer, 0, 3 * BLOCK)
        assert read(layer, 7) == BLOB[7:]
        assert (layer.digest, layer.size, layer.diff_id) == (sha256(BLOB), len(BLOB), sha256(INPUT))
        assert read(layer, 0) == BLOB
        assert times == 2

    def test_within_the_window_it_does_not(self) -> None:
        def again() -> Iterator[bytes]:
            raise AssertionError

        layer = Deflated(blocks(), again)
        leave(layer, 0, 3 * BLOCK)
        assert read(layer, 7) == BLOB[7:]

    @pytest.mark.parametrize("offset", [1, BLOCK, 2 * BLOCK + 7, len(BLOB) - 1, len(BLOB)])
    def test_what_an_earlier_run_has_sent_is_made_and_dropped(self, offset: int) -> None:
        layer = Deflated(blocks(), window=1)
        assert read(layer, offset) == BLOB[offset:]
        assert (layer.digest, layer.diff_id) == (sha256(BLOB), sha256(INPUT))

    def test_beyond_its_end_there_is_nothing(self) -> None:
        layer = Deflated(blocks())
        assert read(layer, len(BLOB) + 1) == b""
        assert layer.size == len(BLOB)

    def test_a_fault_of_the_source_is_no_end(self) -> None:
        def failing() -> Iterator[bytes]:
            yield INPUT[: 2 * BLOCK]
            raise ConnectionResetError

        layer = Deflated(failing())
        with pytest.raises(ConnectionResetError):
            read(layer)
        assert layer.digest is None
        with pytest.raises(Spent):
            layer.read(0)

    def test_after_a_fault_of_the_source_it_starts_again(self) -> None:
        def failing() -> Iterator[bytes]:
            yield INPUT[: 2 * BLOCK]
            raise ConnectionResetError

        layer = Deflated(failing(), blocks)
        with pytest.raises(ConnectionResetError):
            read(layer)
        assert read(layer, 5) == BLOB[5:]
        assert layer.digest == sha256(BLOB)

    def test_a_reader_that_was_overtaken_is_told_so(self) -> None:
        layer = Deflated(blocks(), window=1)
        slow = layer.read(0)
        next(slow)
        read(layer, 11)
        with pytest.raises(Spent):
            list(slow)

    def test_what_is_left_in_the_middle_is_let_go_of(self) -> None:
        """Also without the garbage collector: a window is large."""
        layer = Deflated(blocks())
        leave(layer, 0, BLOCK)
        gone = weakref.ref(layer)
        del layer
        assert gone() is None

    def test_nothing_is_taken_before_it_is_read(self) -> None:
        def source() -> Iterator[bytes]:
            raise AssertionError
            yield b""

        assert Deflated(source()).digest is None
