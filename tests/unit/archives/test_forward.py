"""A stream that goes forward only."""

import io

import pytest

from devreg.archives.forward import BLOCK, Forward


class Trickle:
    """A stream that gives a few bytes at a time, as sockets do."""

    def __init__(self, content: bytes, most: int = 7) -> None:
        self._file = io.BytesIO(content)
        self._most = most

    def readinto(self, buffer: memoryview, /) -> int:
        return self._file.readinto(buffer[: self._most])


CONTENT = bytes(range(256)) * 20


def test_it_reads_on_until_it_has_what_was_asked_for() -> None:
    forward = Forward(Trickle(CONTENT))
    assert (forward.read(1000), forward.tell()) == (CONTENT[:1000], 1000)
    assert (forward.read(10_000), forward.tell()) == (CONTENT[1000:], len(CONTENT))
    assert forward.read(1) == b""


def test_it_skips_forward() -> None:
    forward = Forward(Trickle(CONTENT))
    assert forward.seek(300) == forward.tell() == 300
    assert forward.seek(300) == 300
    assert forward.read(5) == CONTENT[300:305]


def test_it_skips_to_the_end_at_most() -> None:
    forward = Forward(Trickle(CONTENT))
    assert forward.seek(10**18) == forward.tell() == len(CONTENT)


def test_it_does_not_go_back() -> None:
    forward = Forward(Trickle(CONTENT))
    forward.read(2)
    with pytest.raises(ValueError, match="does not go back"):
        forward.seek(1)


def test_blocks_end_where_they_should() -> None:
    forward = Forward(io.BytesIO(bytes(2 * BLOCK + 9)))
    assert [len(block) for block in forward.blocks(2 * BLOCK + 5)] == [BLOCK, BLOCK, 5]
    assert forward.tell() == 2 * BLOCK + 5


def test_a_block_stays_as_it_is_when_the_next_is_read() -> None:
    blocks = Forward(io.BytesIO(b"a" * BLOCK + b"b" * BLOCK)).blocks(2 * BLOCK)
    first = next(blocks)
    next(blocks)
    assert set(first) == {ord("a")}


def test_a_stream_that_ends_early() -> None:
    with pytest.raises(EOFError, match="ends early"):
        list(Forward(Trickle(CONTENT)).blocks(len(CONTENT) + 1))
