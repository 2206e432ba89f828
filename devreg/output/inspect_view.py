"""What a reference stands for, from the whole to the parts: what it is, its platforms, its layers, what it runs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from devreg.output import console, tables
from devreg.output.columns import Column, Row
from devreg.output.console import inert
from devreg.output.units import age, counted, short_digest, size

if TYPE_CHECKING:
    from devreg.model.inspection import Entry, Image, Inspected, Layer

_NAME_WIDTH = 14
_SHORT_NAME_WIDTH = 8
"""On a screen of 80 columns a whole digest fits beside a name of six letters, and beside no longer one."""

_LONGEST = 500
"""Characters of an instruction that a screen shows. A script copied into one would hide all else; --json has it all."""

Pair = tuple[str, str | None]


def raw(manifest: bytes) -> None:
    """The bytes, and nothing else. On a terminal what is in them that a terminal would obey is shown, not obeyed."""
    if console.is_terminal():
        console.result(manifest.decode(errors="backslashreplace").removesuffix("\n"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(manifest)
    sys.stdout.buffer.flush()


def inspected(found: Inspected) -> None:
    """Names and values, one a line, and tables between them where there are several of a kind.

    In a pipe the rows of tables are lines, too: their kind, digest, bytes, and what they are.
    """
    _pairs(_heading(found), _SHORT_NAME_WIDTH)
    _entries("PLATFORM", found.platforms, name="image")
    if found.image is not None:
        _gap()
        if found.platforms:
            _pairs([("shown", found.image.digest)], _SHORT_NAME_WIDTH)
        _pairs(_facts(found.image))
        _layers(found.image.layers)
        runs = [*_runs(found.image), *_named("label", found.image.labels)]
        if any(value for _, value in runs):
            _gap()
            _pairs(runs)
    _entries("CONTENT", found.blobs, name="content")
    _entries("ATTESTATION", found.attestations, name="attestation")
    _entries("REFERRER", found.referrers or (), name="referrer")
    if found.annotations:
        _gap()
        _pairs(_named("annotation", found.annotations))


def shown(found: Inspected) -> None:
    """A word to the person on which of several images is shown, and why."""
    if found.image is None or len(found.platforms) < 2 or found.chosen == "asked":
        return
    why = "this machine's platform" if found.chosen == "machine" else "the first that is there"
    platform = found.image.platform or found.image.digest
    console.note(f"shown is {platform}, {why}; another: --platform OS/ARCH")


def _heading(found: Inspected) -> Iterator[Pair]:
    yield "name", found.reference
    yield "digest", found.digest
    yield "type", ", ".join(filter(None, (found.kind, found.artifact_type, found.media_type)))
    if (found.image is None or found.platforms) and found.size is not None:
        yield "total", _bytes(found.size, "")
    if found.kind == "schema1":
        yield "note", "a manifest of before 2016, which does not tell the sizes of its layers"


def _facts(image: Image) -> Iterator[Pair]:
    """What an image is, before its layers."""
    yield "platform", image.platform
    yield "created", _time(image.created)
    if image.size is not None:
        yield "size", _bytes(image.size, f" in {counted(len(image.layers), 'layer')}")
    if image.error is not None:
        yield "config", f"cannot be read: {image.error}"


def _runs(image: Image) -> Iterator[Pair]:
    """What a container of it runs, and how."""
    yield "entrypoint", shlex.join(image.entrypoint)
    yield "command", shlex.join(image.cmd)
    yield "workdir", image.workdir
    yield "user", image.user
    yield "ports", ", ".join(image.ports)
    yield "volumes", ", ".join(image.volumes)
    yield "stopsignal", image.stop_signal
    yield "healthcheck", _check(image.healthcheck)
    for each in image.env:
        yield "env", each


def _check(test: Sequence[str]) -> str:
    """Docker's `Healthcheck.Test`: how the rest is meant stands first."""
    if test[:1] == ("CMD-SHELL",):
        return " ".join(test[1:])
    return shlex.join(test[1:] if test[:1] == ("CMD",) else test)


def _layers(layers: Sequence[Layer]) -> None:
    if not console.is_terminal():
        _lines("layer", [(each.digest, each.size, _line(each.instruction)) for each in layers])
        return
    columns = [Column("LAYER", "cyan"), Column("SIZE", right=True), Column("INSTRUCTION", least=20)]
    rows = [Row((short_digest(each.digest), size(each.size), _cut(_line(each.instruction)))) for each in layers]
    _table(columns, rows)


def _line(instruction: str | None) -> str:
    """An instruction without the line ends and tabs that it had in the Dockerfile."""
    return inert(" ".join((instruction or "-").split()))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _entries(title: str, entries: Sequence[Entry], *, name: str) -> None:
    """What an index or a list names: its platform, else what kind of artifact it is. `name`: for scripts."""
    sizes = [_bytes_of(each) if name == "image" else each.size for each in entries]
    if not console.is_terminal():
        texts = [" ".join([_what(each), each.error or ""]).rstrip() for each in entries]
        _lines(name, zip((each.digest for each in entries), sizes, texts, strict=True))
        return
    columns = [Column(title, "cyan", least=16), Column("SIZE", right=True), Column("DIGEST", "dim")]
    names, digests = [inert(_what(each)) for each in entries], [short_digest(each.digest) for each in entries]
    rows = list(zip(names, map(size, sizes), digests, strict=True))
    wrong = [inert(each.error or "") for each in entries]
    _table(columns, list(map(Row, rows, wrong)))


def _what(entry: Entry) -> str:
    return entry.platform or entry.artifact_type or entry.media_type or "-"


def _bytes_of(entry: Entry) -> int | None:
    """Of an image all that it consists of, of others what they take up themselves. None for what was not read."""
    if entry.content_size is not None:
        return entry.content_size
    return None if entry.platform else entry.size


def _table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    if rows:
        _gap()
        tables.table(columns, rows)


def _lines(name: str, rows: Iterable[tuple[str, int | None, str]]) -> None:
    """For scripts: what it is that the line tells of, digest, bytes, and the rest."""
    first = name.ljust(_NAME_WIDTH - 2)
    tables.lines([first, digest, tables.word(number), inert(text)] for digest, number, text in rows)


def _bytes(number: int, more: str) -> str:
    return f"{size(number)}{more}" if console.is_terminal() else str(number)


def _time(created: str | None) -> str | None:
    return f"{created} ({age(created)})" if created and console.is_terminal() else created


def _named(name: str, values: Mapping[str, str]) -> Iterator[Pair]:
    return ((name, f"{key}={value}") for key, value in values.items())


def _gap() -> None:
    """For the eye only."""
    if console.is_terminal():
        console.result("")


def _pairs(pairs: Iterable[Pair], width: int = _NAME_WIDTH) -> None:
    """A line each, but for those without a value. `width`: of the names on a screen."""
    width = width if console.is_terminal() else _NAME_WIDTH
    for name, value in pairs:
        if value:
            console.result(f"{name:{width}}{inert(value)}")
