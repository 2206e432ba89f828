"""What a reference stands for, from the whole to the parts: what it is, its platforms, its layers, what it runs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from devreg.output import console
from devreg.output.columns import Column, Row
from devreg.output.console import inert
from devreg.output.tables import table
from devreg.output.units import age, short_digest, size

if TYPE_CHECKING:
    from devreg.model.inspection import Entry, Image, Inspected

_NAME_WIDTH = 14


def raw(manifest: bytes) -> None:
    """The bytes, and nothing else."""
    sys.stdout.flush()
    sys.stdout.buffer.write(manifest)
    sys.stdout.buffer.flush()


def inspected(found: Inspected) -> None:
    """Names and values, one a line, and tables between them where there are several of a kind."""
    for name, value in _heading(found):
        _pair(name, value)
    _entries("PLATFORM", found.platforms)
    if found.image is not None:
        _image(found.image, is_one_of_several=bool(found.platforms))
    _entries("CONTENT", found.blobs)
    _entries("ATTESTATION", found.attestations)
    _entries("REFERRER", found.referrers or ())
    _named("annotation", found.annotations)


def _heading(found: Inspected) -> Iterator[tuple[str, str]]:
    yield "reference", found.reference
    yield "digest", found.digest
    yield "type", f"{found.kind}, {found.media_type}"
    if found.kind == "schema1":
        yield "note", "a manifest of before 2016: it tells neither sizes nor platforms"


def _image(image: Image, *, is_one_of_several: bool) -> None:
    if is_one_of_several:
        _gap()
        _pair("image", image.digest)
    _pair("platform", image.platform)
    _pair("created", f"{image.created} ({age(image.created)})" if image.created else None)
    _pair("size", f"{size(image.size)} in {len(image.layers)} layer{'s' if len(image.layers) != 1 else ''}")
    if image.layers:
        columns = [Column("LAYER", "cyan"), Column("SIZE", right=True), Column("INSTRUCTION", least=20)]
        name = short_digest if console.is_terminal() else str
        _table(columns, [(name(each.digest), each.size, each.instruction or "-") for each in image.layers])
        _gap()
    _pair("entrypoint", shlex.join(image.entrypoint))
    _pair("command", shlex.join(image.cmd))
    _pair("workdir", image.workdir)
    _pair("user", image.user)
    _pair("ports", ", ".join(image.ports))
    _pair("volumes", ", ".join(image.volumes))
    _pair("stop signal", image.stop_signal)
    for each in image.env:
        _pair("env", each)
    _named("label", image.labels)


def _entries(title: str, entries: Sequence[Entry]) -> None:
    """What an index or a list names. What has no platform is told apart by its type."""
    if not entries:
        return
    columns = [Column(title, "cyan", least=16), Column("SIZE", right=True), Column("DIGEST", "dim")]
    digest = short_digest if console.is_terminal() else str
    _table(columns, [(each.platform or each.media_type, each.size, digest(each.digest)) for each in entries])


def _table(columns: Sequence[Column], rows: Sequence[tuple[str, int, str]]) -> None:
    """On a terminal a table; in a pipe a line each, tabs between, bytes as numbers."""
    if not console.is_terminal():
        for name, number, text in rows:
            console.result(f"{columns[0].title.lower()}\t{inert(name)}\t{number}\t{inert(text)}")
        return
    _gap()
    table(columns, [Row((inert(name), size(number), inert(text))) for name, number, text in rows])


def _named(name: str, values: Mapping[str, str]) -> None:
    for key, value in values.items():
        _pair(name, f"{key}={value}")


def _gap() -> None:
    """For the eye only."""
    if console.is_terminal():
        console.result("")


def _pair(name: str, value: str | None) -> None:
    """Nothing where there is no value."""
    if not value:
        return
    between = " " * (_NAME_WIDTH - len(name)) if console.is_terminal() else "\t"
    console.result(f"{name}{between}{inert(value)}")
