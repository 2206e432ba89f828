"""Tars that nobody makes by accident."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

from tests.unit.direct.built import link, tarred


def header(name: str = "a", *, size: int = 0, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> bytes:
    """A header by itself, which may promise anything."""
    member = tarfile.TarInfo(name)
    member.size, member.type, member.linkname = size, kind, linkname
    return member.tobuf(tarfile.GNU_FORMAT)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """A member that holds attributes of the next one."""
    return header("pax", size=len(records), kind=kind) + padded(records)


def record(key: str, value: str) -> bytes:
    """One attribute."""
    rest = f" {key}={value}\n"
    length = next(size for size in range(len(rest), 10**7) if size == len(f"{size}{rest}"))
    return f"{length}{rest}".encode()


def negative(size: int = -1024) -> bytes:
    """A header whose size is below zero, in the form of GNU's for large numbers. Readers went back for it for ever."""
    raw = bytearray(header("a"))
    raw[124:136] = (256**12 + size).to_bytes(12, "big")
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def sparse() -> bytes:
    """As `tar --sparse` writes it (the form of pax, 1.0)."""
    records = record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0")
    records += record("GNU.sparse.name", "layer.tar") + record("GNU.sparse.realsize", str(10 * 2**30))
    return pax(records) + header("GNUSparseFile.0/layer.tar", size=512) + padded(b"1\n0\n0\n") + bytes(1024)


def endless_map() -> bytes:
    """A sparse file with a map of a billion parts."""
    records = record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0")
    return pax(records) + header("a", size=2**20) + padded(b"1000000000\n" + b"1\n" * 2**19)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "is no tar"),
    "text": (lambda: b"hello, world\n" * 100, "is no tar"),
    "half a header": (lambda: tarred({"a": b"b"})[:100], "is no tar"),
    "a content that ends early": (lambda: tarred({"a": bytes(5000)})[:2000], "ends early|unexpected end|longer than"),
    "a size that lies": (lambda: header(size=2**62) + bytes(1024), "ends early|unexpected end|longer than"),
    "a size that cannot be": (lambda: header(size=2**80) + bytes(1024), "ends early|is no tar|longer than"),
    "a size below zero": (negative, "has -1024 bytes|is no tar"),
    "a name that leads out": (lambda: tarred({"../etc/passwd": b"x"}), "lies outside"),
    "a name that leads out later": (lambda: tarred({"a/../../b": b"x"}), "lies outside"),
    "a name from the root": (lambda: tarred({"/etc/passwd": b"x"}), "lies outside"),
    "a name that is the root's parent": (lambda: tarred({"..": b"x"}), "lies outside"),
    "a long name that leads out": (lambda: tarred({"../" + "a" * 300: b""}, form=tarfile.GNU_FORMAT), "lies outside"),
    "a node that leads out": (lambda: tarred({}, link("../null", "", tarfile.CHRTYPE)), "lies outside"),
    "a link that leads out": (lambda: tarred({}, link("a", "../../etc/passwd")), "lies outside"),
    "a link to the root": (lambda: tarred({}, link("d/a", "/etc/passwd")), "lies outside"),
    "a hard link that leads out": (lambda: tarred({}, link("d/a", "../b", tarfile.LNKTYPE)), "lies outside"),
    "a sparse file": (sparse, "sparse"),
    "a sparse file without end": (endless_map, "header is too long"),
    "a header as large as the memory": (lambda: header(size=2**40, kind=tarfile.XHDTYPE), "header is too long"),
    "a name as large as the memory": (lambda: header(size=2**40, kind=tarfile.GNUTYPE_LONGNAME), "header is too long"),
    "attributes of attributes": (lambda: pax(record("a", "b")) * 10_000, "header is too long|is no tar"),
    "names of names": (
        lambda: (header(size=2, kind=tarfile.GNUTYPE_LONGNAME) + padded(b"a")) * 10_000,
        "header is too long|is no tar",
    ),
    "a size below zero in an attribute": (lambda: pax(record("size", "-1024")) + header(), "has -1024 bytes|is no tar"),
    "a size without end in an attribute": (
        lambda: pax(record("size", "9" * 4000)) + header() + bytes(1024),
        "ends early|is no tar|longer than",
    ),
}
"""What has to be refused, by what it is: how to make it, and a pattern for the words."""

ACCEPTED: dict[str, Callable[[], bytes]] = {
    "as Python writes it": lambda: tarred({"d/x": b"content"}),
    "GNU": lambda: tarred({"d/x": b"content"}, form=tarfile.GNU_FORMAT),
    "ustar": lambda: tarred({"d/x": b"content"}, form=tarfile.USTAR_FORMAT),
    "a name made plain": lambda: tarred({"./d/../d/x": b"content"}),
    "a folder for all": lambda: (
        tarred({}, link(".", "", tarfile.DIRTYPE), link("d", "", tarfile.DIRTYPE))[:1024] + tarred({"d/x": b"content"})
    ),
    "attributes": lambda: pax(record("comment", "x" * 5000)) + tarred({"d/x": b"content"}),
    "attributes for all": lambda: pax(record("comment", "x"), tarfile.XGLTYPE) + tarred({"d/x": b"content"}),
    "a pipe and a device beside it": lambda: tarred(
        {"d/x": b"content"}, link("fifo", "", tarfile.FIFOTYPE), link("null", "", tarfile.CHRTYPE)
    ),
    "no end": lambda: tarred({"d/x": b"content"})[:1024],
    "an end and more": lambda: tarred({"d/x": b"content"}) + b"garbage" * 1000,
    "links in a circle beside it": lambda: tarred({"d/x": b"content"}, link("a", "b"), link("b", "a")),
    "the last of several": lambda: tarred({"d/x": b"older"})[:1024] + tarred({"d/x": b"content"}),
    "a file that was a link": lambda: tarred({}, link("d/x", "y"))[:512] + tarred({"d/x": b"content"}),
    "a link that was a file": lambda: (
        tarred({"y": b"content", "d/x": b"older"})[:2048] + tarred({}, link("d/x", "../y"))
    ),
    "a link": lambda: tarred({"y": b"content"}, link("d/x", "../y")),
    "a hard link": lambda: tarred({"e/y": b"content"}, link("d/x", "e/y", tarfile.LNKTYPE)),
    "a chain of links": lambda: tarred({"y": b"content"}, link("d/x", "z"), link("d/z", "../y")),
}
"""What has a file `d/x` with `content`, by what is odd about it."""


def endless(block: bytes) -> io.RawIOBase:
    """A stream that repeats `block` for ever."""

    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
            count = min(len(buffer), len(block))
            buffer[:count] = block[:count]
            return count

    return Endless()
