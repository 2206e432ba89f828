"""gzip made on several cores, and the same bytes for the same input every time.

The input is cut into blocks of one size, wherever its pieces end. Each is compressed by itself with the end of the
block before it as dictionary, and ends on a whole byte (a sync flush), so the parts can be put together as in pigz.

ISA-L is ten times as fast as zlib, but its bytes depend on the processor: x86-64 with SSE4.2, x86-64 without it, and
aarch64 each make their own at every level; at level 3 also AVX2 does. zlib-ng makes the same everywhere, at a third of
the speed. Level 1: level 0 is no faster and its result a seventh larger.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

BLOCK = 2**20
"""Bytes of input that are compressed by themselves."""

_DICTIONARY = 2**15  # as far back as deflate can refer
_THREADS = min(os.cpu_count() or 1, 4)
_AHEAD = _THREADS + 2  # blocks that are being compressed, wait for it, or for their turn to leave
_HEADER = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255))  # no name, no time, no system
_END = b"\x03\x00"  # an empty last block

Block = bytes | memoryview


class _Compressor(NamedTuple):
    name: str
    level: int
    functions: Any  # the module: all three have the functions of zlib


_KNOWN = (("isal.isal_zlib", 1), ("zlib_ng.zlib_ng", 2), ("zlib", 1))  # the fastest first


def gzipped(blocks: Iterable[Block], pool: Executor | None = None) -> Iterator[bytes]:
    """The gzip stream of `blocks`, in pieces of at most about 1 MiB, compressed on `pool` or on devreg's own threads.

    A few blocks of input are held while they are worked on: they must not change. Raises what `blocks` raises.
    """
    workers, crc32 = pool or _threads(), _compressor().functions.crc32
    making: deque[Future[bytes]] = deque()
    checksum, size, before = 0, 0, memoryview(b"")
    yield _HEADER
    try:
        for block in in_blocks(blocks):
            making.append(workers.submit(_deflated, block, before))
            checksum, size, before = crc32(block, checksum), size + len(block), memoryview(block)[-_DICTIONARY:]
            if len(making) == _AHEAD:
                yield making.popleft().result()
        while making:
            yield making.popleft().result()
    finally:
        for left in making:
            left.cancel()
    yield _END + struct.pack("<LL", checksum, size % 2**32)


def in_blocks(pieces: Iterable[Block]) -> Iterator[Block]:
    """The same bytes in blocks of BLOCK bytes and a last one that may be shorter. Copies only to join."""
    held: list[memoryview] = []
    room = BLOCK
    for piece in pieces:
        rest = memoryview(piece)
        while len(rest):
            held.append(rest[:room])
            room, rest = room - len(held[-1]), rest[room:]
            if not room:
                yield _joined(held)
                held, room = [], BLOCK
    if held:
        yield _joined(held)


@cache
def compressor_name() -> str:
    """A name for what decides the bytes: library, level, size of a block, and the bytes that a sample becomes here.

    The sample tells apart what the same library makes on different processors. Streams of one name are the same.
    """
    sample = b" ".join(b"%x" % (number * number % 7919) for number in range(16_000)) * (BLOCK // 2**16)
    library, made = _compressor(), hashlib.sha256()
    for piece in gzipped([sample]):
        made.update(piece)
    return f"{library.name} level {library.level} block {BLOCK} sample {made.hexdigest()[:16]}"


def _deflated(block: Block, before: memoryview) -> bytes:
    library = _compressor()
    zlib = library.functions
    stream = zlib.compressobj(library.level, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY, before)
    start: bytes = stream.compress(block)
    return start + stream.flush(zlib.Z_SYNC_FLUSH)  # type: ignore[no-any-return]


def _joined(views: list[memoryview]) -> Block:
    return views[0] if len(views) == 1 else b"".join(views)


@cache
def _compressor() -> _Compressor:
    for name, level in _KNOWN:
        try:
            functions = import_module(name)
        except ImportError:
            continue
        package = import_module(name.partition(".")[0])
        version = getattr(package, "ZLIB_RUNTIME_VERSION", None) or package.__version__
        return _Compressor(f"{package.__name__} {version}", level, functions)
    raise ImportError("this Python was built without zlib")


@cache
def _threads() -> Executor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="deflate")
